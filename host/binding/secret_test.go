package binding

import (
	"errors"
	"testing"

	"github.com/webhost-systems/drhost/host/secret"
)

// TestSecretWhereNoneIsTaken: a table of any shape would send the secret's
// name in place of its value.
func TestSecretWhereNoneIsTaken(t *testing.T) {
	type anyArgs struct {
		JSON any          `lua:"json,optional" doc:"Whatever."`
		Key  secret.Value `lua:"key,optional" doc:"A secret."`
	}
	resolve := func(string) (secret.Value, error) { return secret.New("hidden-value"), nil }
	ref := SecretRef("env:TOKEN")
	for path, plain := range map[string]any{
		"json":              ref,
		"json.login.token":  map[string]any{"login": map[string]any{"token": ref, "a": 1.0}},
		"json.list[2].deep": map[string]any{"list": []any{"x", map[string]any{"deep": ref}}},
	} {
		var a anyArgs
		err := decodeInto(&a, typeFor[anyArgs](), map[string]any{"json": plain}, resolve)
		var bad *ArgumentError
		if !errors.As(err, &bad) || bad.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	var a anyArgs
	if err := decodeInto(&a, typeFor[anyArgs](), map[string]any{"json": map[string]any{"x": []any{1.0}}, "key": ref}, resolve); err != nil || a.Key.Reveal() != "hidden-value" {
		t.Errorf("%v %v", a, err)
	}
}
