package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

func stat(p *process) int {
	set, names, ok := p.options("L", "c")
	if !ok || len(names) == 0 {
		return p.usage("[-c FORMAT] NAME...")
	}
	for _, name := range names {
		info, err := p.disk().stat(p.path(name), has(set, "L"))
		if err != nil {
			return p.fail(err)
		}
		format := set["c"]
		if format == "" {
			format = "  File: %n\n  Size: %s\n  Mode: %a\nModify: %y"
		}
		p.printf("%s\n", strings.NewReplacer("%n", name, "%s", strconv.FormatInt(info.Size(), 10),
			"%a", strconv.FormatUint(uint64(info.Mode().Perm()), 8), "%Y", strconv.FormatInt(info.ModTime().Unix(), 10),
			"%y", info.ModTime().UTC().Format("2006-01-02 15:04:05.000000000 +0000"), "%F", kind(info)).Replace(format))
	}
	return 0
}

func kind(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "directory"
	case info.Mode()&fs.ModeSymlink != 0:
		return "symbolic link"
	}
	return "regular file"
}

func du(p *process) int {
	set, names, ok := p.options("shbk", "")
	if !ok {
		return 2
	}
	if len(names) == 0 {
		names = []string{"."}
	}
	for _, name := range names {
		var total int64
		err := p.disk().walk(p.path(name), func(_ string, info fs.FileInfo) error {
			if info.Mode().IsRegular() {
				total += info.Size()
			}
			return nil
		})
		if err != nil {
			return p.fail(err)
		}
		if !has(set, "b") {
			total = (total + 1023) / 1024
		}
		p.printf("%d\t%s\n", total, name)
	}
	return 0
}

// find knows -type, -name, -maxdepth and -newermt.
func find(p *process) int {
	args, start := p.args, []string{}
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		start, args = append(start, args[0]), args[1:]
	}
	if len(start) == 0 {
		start = []string{"."}
	}
	tests := map[string]string{}
	for ; len(args) >= 2; args = args[2:] {
		if !contains([]string{"-type", "-name", "-maxdepth"}, args[0]) {
			break
		}
		tests[args[0]] = args[1]
	}
	if len(args) > 0 && args[0] != "-print" {
		return p.usage("[FOLDER...] [-type f|d|l] [-name PATTERN] [-maxdepth N]")
	}
	for _, from := range start {
		base := p.path(from)
		err := p.disk().walk(base, func(name string, info fs.FileInfo) error {
			below := strings.TrimPrefix(strings.TrimPrefix(path.Clean(name), path.Clean(base)), "/")
			if matches(tests, below, path.Base(name), info) {
				p.printf("%s\n", strings.TrimSuffix(from+"/"+below, "/"))
			}
			return p.ctx.Err()
		})
		if err != nil {
			return p.fail(err)
		}
	}
	return 0
}

func matches(tests map[string]string, below, base string, info fs.FileInfo) bool {
	if want := tests["-type"]; want != "" && want != map[string]string{"directory": "d", "regular file": "f", "symbolic link": "l"}[kind(info)] {
		return false
	}
	if depth, err := strconv.Atoi(tests["-maxdepth"]); err == nil && below != "" && strings.Count(below, "/")+1 > depth {
		return false
	}
	if pattern := tests["-name"]; pattern != "" {
		ok, err := path.Match(pattern, base)
		return ok && err == nil
	}
	return true
}

func sha256sum(p *process) int {
	_, names, ok := p.options("b", "")
	if !ok {
		return 2
	}
	return p.each(names, func(name string, r io.Reader) error {
		sum := sha256.New()
		_, err := io.Copy(sum, r)
		p.printf("%s  %s\n", hex.EncodeToString(sum.Sum(nil)), name)
		return err
	})
}
