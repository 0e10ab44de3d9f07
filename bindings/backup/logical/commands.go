package logical

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
)

// Commands restore the backup by hand: lines for a shell.
func Commands(m catalogue.Manifest) []string {
	lines := []string{
		"# In a folder with the files of this backup. PGHOST, PGPORT, PGUSER and PGPASSWORD lead to the server.",
	}
	for _, f := range m.Files {
		lines = append(lines, Unpack(f)...)
	}
	lines = append(lines,
		"psql -d postgres -f "+GlobalsName+" # roles, without passwords; those that exist are reported and left",
		fmt.Sprintf("createdb -T template0 -E %s --lc-collate=%s --lc-ctype=%s %s", Word(m.Server.Encoding), Word(m.Server.Collate), Word(m.Server.CType), Word(m.Database)))
	for _, setting := range m.Settings {
		name, value, _ := strings.Cut(setting, "=")
		lines = append(lines, "psql -d postgres -c "+Word(alterSetting(m.Database, name, value)))
	}
	return append(lines,
		fmt.Sprintf("pg_restore --exit-on-error --jobs=2 -d %s %s # pg_restore %d or newer", Word(m.Database), DumpName, m.ToolMajor),
		"vacuumdb --analyze-only "+Word(m.Database))
}

// Unpack are the lines that check an artifact and take its layers off.
func Unpack(f artifact.Record) []string {
	check := func(sum, name string) string { return fmt.Sprintf("echo '%s  %s' | sha256sum -c -", sum, name) }
	lines := []string{check(f.SHA256, f.Name)}
	plain := f.Plain()
	switch {
	case f.Encryption != "" && f.Compression != "":
		lines = append(lines, fmt.Sprintf(`age -d -i "$KEY" %s | zstd -d -q -o %s # KEY is the file of the age key`, f.Name, plain))
	case f.Encryption != "":
		lines = append(lines, fmt.Sprintf(`age -d -i "$KEY" -o %s %s # KEY is the file of the age key`, plain, f.Name))
	case f.Compression != "":
		lines = append(lines, fmt.Sprintf("zstd -d -q -o %s %s", plain, f.Name))
	default:
		return lines
	}
	return append(lines, check(f.PlainSHA256, plain))
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.@%+=:,/-]+$`)

// Word quotes text for a shell.
func Word(text string) string {
	if plainWord.MatchString(text) && !strings.HasPrefix(text, "-") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
