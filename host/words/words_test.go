package words_test

import (
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
