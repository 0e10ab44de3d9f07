package attacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/stdlib"
)

// helperOf is the variable that makes the test's own program run one attack
// with a provider that no real program has.
const helperOf = "DRHOST_ATTACK"

type boxes struct{}

// Box is what the test's provider answers.
type Box struct {
	Name string `lua:"name" doc:"Its name."`
	Text string `lua:"text" doc:"What it holds."`
}

type openArgs struct {
	Name string   `lua:"name" doc:"Name of the box."`
	Size int      `lua:"size" default:"1" doc:"How big."`
	Tags []string `lua:"tags,optional" doc:"Marks."`
	Any  any      `lua:"any,optional" doc:"Anything."`
}

func boxModule() *binding.Module {
	open := func(_ boxes, _ context.Context, a openArgs) (Box, error) {
		if a.Name == "missing" {
			return Box{}, fault.New(fault.NotFound, "there is no box %q", a.Name)
		}
		return Box{Name: a.Name}, nil
	}
	huge := func(boxes, context.Context, struct{}) (Box, error) {
		return Box{Name: "huge", Text: strings.Repeat("x", 4<<20)}, nil
	}
	return binding.NewModule[boxes, struct{}]("box", "Boxes.", func(binding.Env, struct{}) (boxes, error) { return boxes{}, nil },
		binding.Declare(binding.Func[boxes, openArgs, Box]{Name: "open", Doc: "Opens one.", Example: `box.open { name = "a" }`, Call: open}),
		binding.Declare(binding.Func[boxes, struct{}, Box]{Name: "huge", Doc: "Opens a large one.", Example: `box.huge {}`, Call: huge}))
}

// TestHelper is no test: it is the process of an attack that needs a provider.
func TestHelper(t *testing.T) {
	path := os.Getenv(helperOf)
	if path == "" {
		t.Skip("not called by TestAttacks")
	}
	h, err := host.New([]*binding.Module{boxModule()}, stdlib.Sources(), nil, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	h.State = os.Getenv("DRHOST_STATE")
	end, err := h.Run(context.Background(), host.Request{Runbook: path, Operator: &host.Unattended{}})
	var coded *host.Error
	switch {
	case errors.As(err, &coded):
		fmt.Println(err)
		os.Exit(coded.Exit)
	case err != nil:
		fmt.Println(err)
		os.Exit(host.ExitCode(err))
	}
	fmt.Println(end.End.Message)
	os.Exit(end.End.Exit)
}
