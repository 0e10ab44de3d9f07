package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/check"
)

// A script in testdata says what is expected of it: a comment `--! text` means
// that its line has a problem whose printed form contains the text, `--? text`
// a warning. `--!` may stand several times on a line. Every problem must be
// announced. A line that cannot carry a comment is announced by `--!+N text`,
// which means N lines further down.
var announced = regexp.MustCompile(`--([!?])(\+\d+)? ([^\n]*?)(?: *--[!?]|$)`)

type expectation struct {
	line     int
	severity check.Severity
	text     string
}

func expectations(source string) []expectation {
	var out []expectation
	for i, line := range strings.Split(source, "\n") {
		for rest := line; ; {
			m := announced.FindStringSubmatchIndex(rest)
			if m == nil {
				break
			}
			e := expectation{line: i + 1, severity: check.Error, text: strings.TrimSpace(rest[m[6]:m[7]])}
			if rest[m[2]:m[3]] == "?" {
				e.severity = check.Warning
			}
			if m[4] >= 0 {
				var down int
				fmt.Sscanf(rest[m[4]:m[5]], "+%d", &down)
				e.line += down
			}
			out = append(out, e)
			rest = rest[m[7]:]
		}
	}
	return out
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.lua")
	if err != nil || len(files) < 10 {
		t.Fatalf("testdata: %d files, %v", len(files), err)
	}
	o := check.Options{Catalog: catalog(t), Std: std(), World: []string{"kill_server", "hang_server", "sold_out"}}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".lua"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, expectations(string(source)), check.File(file, source, o))
		})
	}
}

func compare(t *testing.T, want []expectation, got []check.Problem) {
	t.Helper()
	used := make([]bool, len(got))
	for _, w := range want {
		found := false
		for i, p := range got {
			if !used[i] && p.Line == w.line && p.Severity == w.severity && strings.Contains(p.String(), w.text) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			t.Errorf("line %d: no %s with %q", w.line, w.severity, w.text)
		}
	}
	for i, p := range got {
		if !used[i] {
			t.Errorf("not announced: %s [%s]", p, p.Code)
		}
		if i > 0 && got[i-1].Line > p.Line {
			t.Errorf("not sorted by line: %s", p)
		}
	}
}

func TestEveryCodeIsTried(t *testing.T) {
	files, err := filepath.Glob("testdata/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range check.File(file, source, check.Options{Catalog: catalog(t), Std: std()}) {
			seen[p.Code] = true
		}
	}
	var missing []string
	for _, code := range []string{check.CodeSyntax, check.CodeGlobal, check.CodeAssignment, check.CodeUnused, check.CodeModule, check.CodeFunction,
		check.CodeCall, check.CodeArgument, check.CodeField, check.CodeWord, check.CodeOption, check.CodeTitle, check.CodeSimilar, check.CodeHead,
		check.CodeForm, check.CodeInput, check.CodeResume, check.CodeLoad, check.CodePolling, check.CodeUnlookedFor} {
		if !seen[code] {
			missing = append(missing, code)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("no script in testdata has a problem with code %s", strings.Join(missing, ", "))
	}
}
