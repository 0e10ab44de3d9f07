package machine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// each calls do with every named file, or with standard input.
func (p *process) each(names []string, do func(name string, r io.Reader) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, name := range names {
		if name == "-" {
			if p.in != nil {
				if err := do(name, p.in); err != nil {
					code = p.fail(err)
				}
			}
			continue
		}
		f, err := p.disk().open(p.path(name), os.O_RDONLY, 0)
		if err == nil {
			err = do(name, f)
			f.Close()
		}
		if err != nil {
			code = p.fail(err)
		}
	}
	return code
}

func cat(p *process) int {
	_, names, ok := p.options("", "")
	if !ok {
		return 2
	}
	return p.each(names, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.out, r)
		return err
	})
}

func echo(p *process) int {
	p.printf("%s\n", strings.Join(p.args, " "))
	return 0
}

func (p *process) lines(names []string) ([]string, int) {
	var out []string
	code := p.each(names, func(_ string, r io.Reader) error {
		s := bufio.NewScanner(r)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			out = append(out, s.Text())
		}
		return s.Err()
	})
	return out, code
}

func (p *process) count(set map[string]string) int {
	n, err := strconv.Atoi(set["n"])
	if err != nil || n < 0 {
		return 10
	}
	return n
}

func head(p *process) int {
	set, names, ok := p.options("", "n")
	if !ok {
		return 2
	}
	lines, code := p.lines(names)
	for _, l := range lines[:min(len(lines), p.count(set))] {
		p.printf("%s\n", l)
	}
	return code
}

func tail(p *process) int {
	set, names, ok := p.options("", "n")
	if !ok {
		return 2
	}
	lines, code := p.lines(names)
	for _, l := range lines[max(0, len(lines)-p.count(set)):] {
		p.printf("%s\n", l)
	}
	return code
}

func sortLines(p *process) int {
	set, names, ok := p.options("runb", "")
	if !ok {
		return 2
	}
	lines, code := p.lines(names)
	sort.Strings(lines)
	if has(set, "n") {
		value := func(s string) float64 {
			f, _ := strconv.ParseFloat(strings.TrimSpace(s), 64) // what is no number counts as 0
			return f
		}
		sort.SliceStable(lines, func(i, j int) bool { return value(lines[i]) < value(lines[j]) })
	}
	for i := range lines {
		l := lines[i]
		if has(set, "r") {
			l = lines[len(lines)-1-i]
		}
		if i > 0 && has(set, "u") && lines[i] == lines[i-1] {
			continue
		}
		p.printf("%s\n", l)
	}
	return code
}

func wc(p *process) int {
	set, names, ok := p.options("lcw", "")
	if !ok {
		return 2
	}
	return p.each(names, func(name string, r io.Reader) error {
		data, err := io.ReadAll(r)
		text := string(data)
		var cols []string
		for _, c := range []struct {
			letter string
			n      int
		}{{"l", strings.Count(text, "\n")}, {"w", len(strings.Fields(text))}, {"c", len(data)}} {
			if len(set) == 0 || has(set, c.letter) {
				cols = append(cols, strconv.Itoa(c.n))
			}
		}
		if name != "-" {
			cols = append(cols, name)
		}
		p.printf("%s\n", strings.Join(cols, " "))
		return err
	})
}

func grep(p *process) int {
	set, names, ok := p.options("iqvcEFrln", "e")
	if !ok {
		return 2
	}
	pattern, given := set["e"]
	if !given {
		if len(names) == 0 {
			return p.usage("[-iqvcEF] PATTERN [FILE...]")
		}
		pattern, names = names[0], names[1:]
	}
	if has(set, "F") {
		pattern = regexp.QuoteMeta(pattern)
	}
	if has(set, "i") {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		p.fail(err)
		return 2
	}
	lines, code := p.lines(names)
	if code != 0 {
		return 2
	}
	found := 0
	for _, l := range lines {
		if re.MatchString(l) != has(set, "v") {
			if found++; !has(set, "q", "c") {
				p.printf("%s\n", l)
			}
		}
	}
	if has(set, "c") {
		p.printf("%d\n", found)
	}
	if found == 0 {
		return 1
	}
	return 0
}

func tee(p *process) int {
	set, names, ok := p.options("a", "")
	if !ok {
		return 2
	}
	if p.in == nil {
		return 0
	}
	data, err := io.ReadAll(p.in)
	if err != nil {
		return p.fail(err)
	}
	flag := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if has(set, "a") {
		flag = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	for _, name := range names {
		f, err := p.disk().open(p.path(name), flag, 0o644)
		if err == nil {
			_, err = f.Write(data)
			f.Close()
		}
		if err != nil {
			return p.fail(err)
		}
	}
	fmt.Fprintf(p.out, "%s", data)
	return 0
}

func basename(p *process) int {
	if len(p.args) == 0 {
		return p.usage("NAME")
	}
	p.printf("%s\n", path.Base(p.args[0]))
	return 0
}

func dirname(p *process) int {
	if len(p.args) == 0 {
		return p.usage("NAME")
	}
	p.printf("%s\n", path.Dir(p.args[0]))
	return 0
}
