package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// completeInput fills defaults and asks for what is missing.
func completeInput(ctx context.Context, s *sandbox.Script, r Request) (map[string]any, error) {
	declared, _ := s.Head["input"].(map[string]any)
	names := slices.Sorted(maps.Keys(declared))
	input := map[string]any{}
	for _, name := range names {
		value, err := inputValue(ctx, name, declared[name], r)
		if errors.As(err, new(*Error)) {
			return nil, err
		}
		if err != nil {
			return nil, Usage(err)
		}
		if value != nil {
			input[name] = value
		}
	}
	return input, nil
}

// knownInput refuses what the runbook does not take, and values outside of an
// input's choices.
func knownInput(s *sandbox.Script, file string, given map[string]string) error {
	declared, _ := s.Head["input"].(map[string]any)
	names := slices.Sorted(maps.Keys(declared))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		d, ok := declared[name].(map[string]any)
		if ok {
			if _, err := allowed(name, given[name], d); err != nil {
				return err
			}
			continue
		}
		text := fmt.Sprintf("%s takes no input %q", file, name)
		if near := binding.Nearest(name, names); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else if len(names) > 0 {
			text += "; it takes " + strings.Join(names, ", ")
		}
		return errors.New(text)
	}
	return nil
}

func inputValue(ctx context.Context, name string, declaration any, r Request) (any, error) {
	d, _ := declaration.(map[string]any)
	if given, ok := r.Input[name]; ok {
		return allowed(name, given, d)
	}
	if def, ok := d["default"]; ok {
		return def, nil
	}
	if optional, _ := d["optional"].(bool); optional {
		return nil, nil
	}
	doc, _ := d["doc"].(string)
	example, _ := d["example"].(string)
	if r.AskInput != nil {
		given, err := r.AskInput(ctx, name, doc, example)
		switch {
		case err == nil:
			return allowed(name, given, d)
		case ctx.Err() != nil:
			return nil, &Error{run.ExitInterrupted, errors.New("interrupted before the run began; nothing was done")}
		case !errors.Is(err, gate.ErrNobody):
			return nil, err
		}
	}
	return nil, fmt.Errorf("input %q is missing: %s; add --input %s=%s", name, doc, name, example)
}

// allowed is the value of an input that was given as text: one of its choices,
// else of the kind that its default is.
func allowed(name, given string, d map[string]any) (any, error) {
	choices, _ := d["choices"].([]any)
	var words []string
	for _, c := range choices {
		word := fmt.Sprint(c)
		if word == given {
			return c, nil
		}
		words = append(words, word)
	}
	if len(words) > 0 {
		return nil, fmt.Errorf("input %s=%s: it must be one of %s", name, given, strings.Join(words, ", "))
	}
	switch standard := d["default"].(type) {
	case float64:
		n, err := strconv.ParseFloat(given, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("input %s=%s: it must be a number, such as %v", name, given, standard)
		}
		return n, nil
	case bool:
		if given != "true" && given != "false" {
			return nil, fmt.Errorf("input %s=%s: it must be true or false", name, given)
		}
		return given == "true", nil
	}
	return given, nil
}
