package config

import (
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// positions is the line of each key in the file. A key is its path; elements
// of arrays of tables count from 0.
type positions map[string]int

const between = "\x1f" // no key holds it

func index(i int) string { return strconv.Itoa(i) }

// line returns the line of path, or of what contains it, or 0.
func (p positions) line(path []string) int {
	for n := len(path); n > 0; n-- {
		if line := p[strings.Join(path[:n], between)]; line > 0 {
			return line
		}
	}
	return 0
}

// locate finds the keys of a document that was decoded without error.
func locate(text []byte) positions {
	l := locator{found: positions{}, arrays: map[string]int{}}
	l.parser.Reset(text)
	var table []string
	for l.parser.NextExpression() {
		node := l.parser.Expression()
		keys, line := l.keys(node)
		switch node.Kind {
		case unstable.Table:
			table = l.resolve(keys)
			l.put(table, line)
		case unstable.ArrayTable:
			outer := append(l.resolve(keys[:len(keys)-1]), keys[len(keys)-1])
			name := strings.Join(outer, between)
			table = append(outer, index(l.arrays[name]))
			l.arrays[name]++
			l.put(table, line)
		case unstable.KeyValue:
			l.value(table, node)
		}
	}
	return l.found
}

type locator struct {
	parser unstable.Parser
	found  positions
	arrays map[string]int // how many elements an array of tables has so far
}

func (l *locator) put(path []string, line int) {
	name := strings.Join(path, between)
	if l.found[name] == 0 {
		l.found[name] = line
	}
}

// keys returns the parts of a node's key and the line of the first.
func (l *locator) keys(node *unstable.Node) (keys []string, line int) {
	for it := node.Key(); it.Next(); {
		if line == 0 {
			line = l.parser.Shape(it.Node().Raw).Start.Line
		}
		keys = append(keys, string(it.Node().Data))
	}
	return keys, line
}

// resolve puts the number of the last element behind each array of tables.
func (l *locator) resolve(keys []string) []string {
	var path []string
	for _, k := range keys {
		path = append(path, k)
		if n := l.arrays[strings.Join(path, between)]; n > 0 {
			path = append(path, index(n-1))
		}
	}
	return path
}

func (l *locator) value(table []string, node *unstable.Node) {
	keys, line := l.keys(node)
	path := append([]string{}, table...)
	for _, k := range keys {
		path = append(path, k)
		l.put(path, line)
	}
	if v := node.Value(); v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				l.value(path, it.Node())
			}
		}
	}
}
