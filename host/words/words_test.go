package words_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/words"
)

func TestWordsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range words.All() {
		if seen[w.Name] || words.Find(w.Name) == nil {
			t.Errorf("%s is declared twice, or not found", w.Name)
		}
		seen[w.Name] = true
		takesOptions := false
		for _, p := range w.Params {
			takesOptions = takesOptions || p.Kind == words.Options
		}
		if takesOptions != (len(w.Options) > 0) {
			t.Errorf("%s: its parameters and its options do not agree", w.Name)
		}
		for _, o := range w.Options {
			if o.Doc == "" || words.Lookup(w.Options, o.Name).Kind != o.Kind {
				t.Errorf("%s: option %s has no doc, or is declared twice", w.Name, o.Name)
			}
		}
	}
	if words.Find("stepp") != nil {
		t.Error("a word that is none was found")
	}
}

func TestSignature(t *testing.T) {
	for name, want := range map[string]string{"step": "step(title, [options], fn)", "finish": "finish(text)", "note": "note(text, [evidence])", "retry": "retry([options], fn)"} {
		if got := words.Find(name).Signature(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWhyAbsent(t *testing.T) {
	if why, ok := words.WhyAbsent("os"); !ok || why == "" {
		t.Error("nothing says why os is missing")
	}
	if _, ok := words.WhyAbsent("string"); ok {
		t.Error("string is not missing")
	}
}

// TestManual goes through the library of the Lua 5.1 reference manual (section
// 5): a script has it, or there is a reason why not.
func TestManual(t *testing.T) {
	manual := map[string]string{
		"": `_G _VERSION assert collectgarbage dofile error getfenv getmetatable ipairs load loadfile loadstring module next pairs pcall print
			rawequal rawget rawset require select setfenv setmetatable tonumber tostring type unpack xpcall coroutine debug io os package`,
		"string": "byte char dump find format gmatch gsub len lower match rep reverse sub upper",
		"table":  "concat insert maxn remove sort",
		"math": `abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow rad random randomseed
			sin sinh sqrt tan tanh`,
	}
	for library, names := range manual {
		have, full := words.Base(), ""
		if library != "" {
			have, full = words.Library()[library], library+"."
		}
		for _, name := range strings.Fields(names) {
			why, absent := words.WhyAbsent(full + name)
			present := slices.Contains(have, name) || library == "" && words.Find(name) != nil
			if present == absent || absent && len(why) < 10 {
				t.Errorf("%s%s: present %v, absent %v because %q", full, name, present, absent, why)
			}
		}
	}
}
