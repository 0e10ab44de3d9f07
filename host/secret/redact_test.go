package secret

import (
	"fmt"
	"reflect"
	"testing"
)

func TestDataIsRedacted(t *testing.T) {
	plain := func() map[string]any {
		return map[string]any{"name": "hobby-1", "n": 3.0, "none": nil, "url": "https://x?t=s3cr3t-value",
			"list": []any{"s3cr3t-value", true, map[string]any{"deep": "a s3cr3t-value b"}}}
	}
	r := &Redactor{}
	if got := r.Data(plain()); !reflect.DeepEqual(got, plain()) {
		t.Errorf("without a known secret: %v", got)
	}
	r.Add(New("s3cr3t-value"))
	r.Add(New("abc")) // too short to be searched for
	want := map[string]any{"name": "hobby-1", "n": 3.0, "none": nil, "url": "https://x?t=[secret]",
		"list": []any{"[secret]", true, map[string]any{"deep": "a [secret] b"}}}
	if got := r.Data(plain()); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got := r.Text("abc s3cr3t-value"); got != "abc [secret]" {
		t.Errorf("got %q", got)
	}
	var none *Redactor
	if none.Text("x") != "x" || none.Data("x") != "x" {
		t.Error("no redactor changes nothing")
	}
}

func TestTheLongerSecretGoesWhole(t *testing.T) {
	r := &Redactor{}
	r.Add(New("token"))
	r.Add(New("token-and-more"))
	r.Add(New("line\nbreak"))
	if got := r.Text(fmt.Sprintf("token-and-more, token, %q", "line\nbreak")); got != `[secret], [secret], "[secret]"` {
		t.Errorf("got %q", got)
	}
}
