package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/config"
	"github.com/webhost-systems/drhost/host/drill"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// Runs returns every run of the state folder, the newest last. A run whose
// journal cannot be read is there with its error.
func (h *Host) Runs(ctx context.Context, start string) ([]RunLine, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	ids, err := p.store.List(ctx)
	if err != nil {
		return nil, journalError(err)
	}
	var lines []RunLine
	for _, id := range ids {
		line := RunLine{ID: id}
		records, err := p.store.Read(ctx, id)
		if err == nil {
			line.Run, err = report.Build(records)
		}
		if err != nil {
			line.Problem = err.Error()
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// RunLine is one run in a list.
type RunLine struct {
	ID      string      `json:"id"`
	Run     *report.Run `json:"run,omitempty"`
	Problem string      `json:"problem,omitempty"`
}

// Show returns one run.
func (h *Host) Show(ctx context.Context, start, id string) (*Result, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	if id, err = h.findRun(ctx, p, id); err != nil {
		return nil, err
	}
	records, err := p.store.Read(ctx, id)
	if err != nil {
		return nil, runError(id, err)
	}
	built, err := report.Build(records)
	if err != nil {
		return nil, journalError(err)
	}
	return &Result{ID: id, Folder: p.store.Path(id), Report: built}, nil
}

// Listed is one runbook or drill in a folder.
type Listed struct {
	File     string         `json:"file"`
	Form     string         `json:"form"`
	Title    string         `json:"title"`
	Head     map[string]any `json:"head"`
	Requires []string       `json:"requires"`
	Problem  string         `json:"problem,omitempty"`
}

// List reads the heads of the scripts in and under folder; nothing is called.
func (h *Host) List(folder string) ([]Listed, error) {
	files, err := luaFiles([]string{folder})
	if err != nil {
		return nil, err
	}
	var out []Listed
	for _, file := range files {
		source, err := readSource(file)
		if err != nil {
			return nil, err
		}
		l := Listed{File: file}
		script, err := h.load(h.bundle(source))
		if err != nil {
			l.Problem = err.Error()
		} else {
			l.Form, l.Head, l.Requires = script.Form, script.Head, script.Requires
			l.Title, _ = script.Head["title"].(string)
		}
		out = append(out, l)
	}
	return out, nil
}

// Check analyses files and folders of scripts; it finds warnings too.
func (h *Host) Check(paths []string) (files int, problems []check.Problem, err error) {
	found, err := luaFiles(paths)
	if err != nil {
		return 0, nil, err
	}
	if len(found) == 0 {
		return 0, nil, Usage(fmt.Errorf("there is no runbook and no drill in %s: nothing was checked", strings.Join(paths, ", ")))
	}
	configs := map[string]bool{}
	for _, file := range found {
		if dir := filepath.Dir(file); !configs[dir] {
			configs[dir] = true
			for _, p := range h.examineConfig(dir) {
				if !slices.Contains(problems, p) {
					problems = append(problems, p)
				}
			}
		}
	}
	for _, file := range found {
		source, err := readSource(file)
		if err != nil {
			return 0, nil, err
		}
		problems = append(problems, h.examine(source)...)
	}
	return len(found), problems, nil
}

// examineConfig holds the drhost.toml that a run of dir's runbooks would go by
// against the modules, with every environment in it; no credential is looked up.
func (h *Host) examineConfig(dir string) []check.Problem {
	_, err := h.open(dir)
	var out []check.Problem
	for _, m := range config.Mistakes(err) {
		out = append(out, check.Problem{File: m.Path, Line: m.Line, Code: check.CodeConfig, Severity: check.Error, Message: m.Message})
	}
	if err != nil && len(out) == 0 { // it cannot even be read
		out = append(out, check.Problem{File: filepath.Join(dir, config.File), Code: check.CodeConfig, Severity: check.Error, Message: err.Error()})
	}
	return out
}

// examine analyses a script and, when it finds no error, loads it as a run
// would: what only the compiler sees must not be found in an emergency.
func (h *Host) examine(source sandbox.Source) []check.Problem {
	problems := check.File(source.File, source.Text, h.checkOptions())
	if HasErrors(problems) {
		return problems
	}
	script, err := h.load(h.bundle(source))
	if err == nil {
		if script.Form == "drill" {
			problems = append(problems, h.examineDrill(source, script)...)
		}
		return problems
	}
	p := check.Problem{File: source.File, Line: 1, Code: "load", Severity: check.Error, Message: err.Error()}
	if at, ok := strings.CutPrefix(p.Message, source.File+":"); ok {
		if line, text, ok := strings.Cut(at, ": "); ok {
			if n, err := strconv.Atoi(line); err == nil {
				p.Line, p.Message = n, text
			}
		}
	}
	return append(problems, p)
}

// examineDrill looks at what a drill names besides itself: its world, its
// runbook, and what it gives to that.
func (h *Host) examineDrill(source sandbox.Source, script *sandbox.Script) []check.Problem {
	d, err := drill.Parse(source.File, script.Head)
	if err != nil {
		return []check.Problem{{File: source.File, Line: 1, Code: check.CodeHead, Severity: check.Error, Message: strings.TrimPrefix(err.Error(), source.File+": ")}}
	}
	var out []check.Problem
	wrong := func(key string, err error) {
		if err != nil {
			out = append(out, check.Problem{File: source.File, Line: lineOf(source.Text, key), Code: check.CodeHead, Severity: check.Error, Message: err.Error()})
		}
	}
	if _, err := os.Stat(d.World); err != nil {
		wrong("world", fmt.Errorf("there is no world %s%s", d.World, nearFile(d.World)))
	}
	if d.Every != "" && period(d.Every) == 0 {
		wrong("every", fmt.Errorf("every = %q: a drill is due daily, weekly, monthly or quarterly", d.Every))
	}
	book, err := readSource(d.Runbook)
	if err != nil {
		wrong("runbook", err)
		return out
	}
	runbook, err := h.load(h.bundle(book))
	switch {
	case err != nil: // a check of that file tells
	case runbook.Form != "runbook":
		wrong("runbook", fmt.Errorf("%s is a %s, not a runbook", d.Runbook, runbook.Form))
	default:
		wrong("input", knownInput(runbook, d.Runbook, d.Input))
		declared, _ := runbook.Head["input"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(declared)) {
			about, _ := declared[name].(map[string]any)
			_, given := d.Input[name]
			if optional, _ := about["optional"].(bool); !given && !optional && about["default"] == nil {
				wrong("input", fmt.Errorf("%s needs the input %q, and the drill gives none", d.Runbook, name))
			}
		}
	}
	return out
}

// lineOf is the line on which a field of a head is set, as far as it can be
// told without the tree; 1 else.
func lineOf(text []byte, key string) int {
	for i, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), key); ok && strings.HasPrefix(strings.TrimSpace(rest), "=") {
			return i + 1
		}
	}
	return 1
}

// luaFiles are the scripts named by paths; in a folder, those in and under it
// but for generated stubs.
func luaFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		if path == "" {
			return nil, Usage(errors.New("the name of the file is empty"))
		}
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, Usage(fmt.Errorf("there is no %s%s", path, nearFile(path)))
		}
		if err != nil {
			return nil, Usage(err)
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() && (d.Name() == "stubs" || strings.HasPrefix(d.Name(), ".") && p != path) {
				return filepath.SkipDir
			}
			if err == nil && !d.IsDir() && strings.HasSuffix(p, ".lua") {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			return nil, Usage(err)
		}
	}
	sort.Strings(files)
	return files, nil
}
