package binding

import (
	"context"
	"errors"
	"testing"
	"time"
)

type watchArgs struct {
	Host  string        `lua:"host" doc:"Whom."`
	Every time.Duration `lua:"every" default:"2s" doc:"How often."`
}

func TestAServiceGetsItsArguments(t *testing.T) {
	var got watchArgs
	m := NewModule[int, struct{}]("watch", "", func(Env, struct{}) (int, error) { return 7, nil }).
		WithServices(Serve("watch", "Watches.", "drhost watch", func(client int, _ context.Context, a watchArgs, say Say) error {
			got = a
			say(client == 7, "on watch")
			return nil
		}))
	said := ""
	say := func(alarm bool, text string) {
		if alarm {
			said = text
		}
	}
	if err := m.Service("watch").Run(t.Context(), 7, map[string]any{"host": "db"}, nil, say); err != nil || got != (watchArgs{"db", 2 * time.Second}) || said != "on watch" {
		t.Fatal(err, got, said)
	}
	var wrong *ArgumentError
	if err := m.Service("watch").Run(t.Context(), 7, map[string]any{"hots": "db"}, nil, say); !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	if m.Service("other") != nil {
		t.Fatal("there is no such service")
	}
}
