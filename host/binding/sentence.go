package binding

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/webhost-systems/drhost/host/secret"
)

var placeholder = regexp.MustCompile(`\{([a-z0-9_]+)\}`)

// aside is a part of a sentence that is left out when an argument in it was not
// given.
var aside = regexp.MustCompile(`\[([^\[\]]*)\]`)

// sentence is a Says taken apart.
type sentence []piece

// piece is text, an argument, or a part in brackets; exactly one field is set.
type piece struct {
	text     string
	argument string
	aside    sentence
}

func parseSentence(says string) sentence {
	var out sentence
	rest := 0
	for _, at := range aside.FindAllStringSubmatchIndex(says, -1) {
		out = append(out, parsePlain(says[rest:at[0]])...)
		out = append(out, piece{aside: parsePlain(says[at[2]:at[3]])})
		rest = at[1]
	}
	return append(out, parsePlain(says[rest:])...)
}

// parsePlain takes apart what has no brackets.
func parsePlain(says string) sentence {
	var out sentence
	rest := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(says, -1) {
		if at[0] > rest {
			out = append(out, piece{text: says[rest:at[0]]})
		}
		out = append(out, piece{argument: says[at[2]:at[3]]})
		rest = at[1]
	}
	if rest < len(says) {
		out = append(out, piece{text: says[rest:]})
	}
	return out
}

// Sentence fills Says with the arguments, given as plain data by name.
func (s *Spec) Sentence(args map[string]any) string {
	if s.Says == "" {
		return s.Full()
	}
	parts := s.says
	if parts == nil { // the declaration is only data
		parts = parseSentence(s.Says)
	}
	var b strings.Builder
	parts.say(&b, args)
	return b.String()
}

func (s sentence) say(b *strings.Builder, args map[string]any) {
	for _, p := range s {
		switch {
		case p.argument != "":
			b.WriteString(sayValue(args[p.argument]))
		case p.aside == nil:
			b.WriteString(p.text)
		case p.aside.given(args):
			p.aside.say(b, args)
		}
	}
}

// given tells whether every argument in s was given.
func (s sentence) given(args map[string]any) bool {
	for _, p := range s {
		if v := args[p.argument]; p.argument != "" && (v == nil || v == "" || v == false) {
			return false
		}
	}
	return true
}

func sayValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	case float64, bool, int, int64:
		return fmt.Sprint(v)
	case []any:
		if said := sentences(v); said != "" {
			return said
		}
	case map[string]any:
		if _, hidden := v[secretKey]; hidden {
			return secret.Mark
		}
		if what, _, planned := PlannedKind(v); planned {
			return Planned(what)
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if len(text) > 80 { // a rune that is cut in two goes
		return strings.ToValidUTF8(string(text[:77]), "") + "..."
	}
	return string(text)
}

// sentences joins what the elements of a list say of themselves, in a field
// called says; it is empty when one of them does not.
func sentences(list []any) string {
	var out []string
	for _, v := range list {
		m, _ := v.(map[string]any)
		said, ok := m["says"].(string)
		if !ok {
			return ""
		}
		out = append(out, said)
	}
	return strings.Join(out, "; ")
}
