package tree

import (
	"fmt"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
)

// Commands restore a tree by hand: lines for a shell.
func Commands(m, whole catalogue.Manifest) []string {
	lines := []string{
		"# In the folder of this backup. TARGET is an empty folder; as root, owners come back, too.",
		`mkdir -p "$TARGET"`,
	}
	if m.Tree.Base == "" {
		return append(lines, over("", m)...)
	}
	lines = append(lines, over("../"+whole.ID+"/", whole)...)
	if f, ok := m.File(DeletedName); ok {
		lines = append(lines, summed("", f), layers("", f)+` | (cd "$TARGET" && xargs -0 -r rm -rf --)`)
	}
	lines = append(lines, over("", m)...)
	if f, ok := m.File(TimesName); ok {
		lines = append(lines, summed("", f), layers("", f)+` | (cd "$TARGET" && xargs -0 -r -n 2 touch -h -d)`)
	}
	return lines
}

// over lays the archive of a backup over the target.
func over(folder string, m catalogue.Manifest) []string {
	f, _ := m.File(ArchiveName)
	return []string{summed(folder, f), layers(folder, f) + ` | tar -x -p -C "$TARGET" -f -`}
}

func summed(folder string, f artifact.Record) string {
	return fmt.Sprintf("echo '%s  %s' | sha256sum -c -", f.SHA256, folder+f.Name)
}

// layers takes the layers off.
func layers(folder string, f artifact.Record) string {
	name := logical.Word(folder + f.Name)
	switch {
	case f.Encryption != "" && f.Compression != "":
		return `age -d -i "$KEY" ` + name + " | zstd -d -q"
	case f.Encryption != "":
		return `age -d -i "$KEY" ` + name
	case f.Compression != "":
		return "zstd -d -q -c " + name
	}
	return "cat " + name
}
