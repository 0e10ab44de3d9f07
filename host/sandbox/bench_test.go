package sandbox

import (
	"context"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
)

// Echo is what the benchmark's provider answers.
type Echo struct {
	Name string `lua:"name" doc:"Its name."`
	Size int    `lua:"size" doc:"How big."`
}

type echoArgs struct {
	Name string `lua:"name" doc:"Its name."`
	Size int    `lua:"size" doc:"How big."`
}

const benchLoop = `
  for i = 1, input.n do
    local out = echo.echo { name = "hobby-1", size = i }
    if out.size ~= i then error("not what was sent") end
  end`

// BenchmarkGatedCall is one call of a provider function that does nothing,
// from Lua through the gate and back, with a table in and a table out and
// without a journal. Compare with BenchmarkStockCall.
func BenchmarkGatedCall(b *testing.B) {
	catalog, err := binding.NewCatalog(binding.NewModule[struct{}, struct{}]("echo", "Answers.",
		func(binding.Env, struct{}) (struct{}, error) { return struct{}{}, nil },
		binding.Declare(binding.Func[struct{}, echoArgs, Echo]{Name: "echo", Doc: "Answers what it was sent.", Says: "echo {name}[ of size {size}]", Example: `echo.echo { name = "a", size = 1 }`,
			Call: func(_ struct{}, _ context.Context, a echoArgs) (Echo, error) { return Echo(a), nil }})))
	if err != nil {
		b.Fatal(err)
	}
	s, err := Load(Options{Catalog: catalog, Limits: Limits{Instructions: 1 << 60, CPU: time.Hour}, Source: Source{File: "bench.lua",
		Text: []byte(`local echo = require "echo"
return runbook { title = "Bench", input = { n = { doc = "How many calls" } }, run = function(input)` + benchLoop + `
end }`)}})
	if err != nil {
		b.Fatal(err)
	}
	g, err := gate.New(gate.Options{Run: "bench", Rules: policy.Rules{Mode: policy.Run}, Clock: clock.System{}, Redactor: &secret.Redactor{}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	e := run.New(run.Options{Gate: g, Clock: clock.System{}, Operator: refuser{}, Started: journal.Started{Run: "bench", Mode: "run"}})
	s.Begin(Session{Engine: e, Gate: g, Clients: map[string]any{"echo": struct{}{}}})
	b.ReportAllocs()
	b.ResetTimer()
	if end := e.Run(context.Background(), s.Body("run", Input{"n": float64(b.N)})); end.Result != "done" {
		b.Fatalf("%+v", end)
	}
}

// BenchmarkStockCall is the least that such a call can cost: a stock
// gopher-lua state calls a Go function that reads one table and makes another.
func BenchmarkStockCall(b *testing.B) {
	L := lua.NewState()
	defer L.Close()
	input, echo := L.NewTable(), L.NewTable()
	input.RawSetString("n", lua.LNumber(b.N))
	echo.RawSetString("echo", L.NewFunction(func(L *lua.LState) int {
		in, out := L.CheckTable(1), L.NewTable()
		out.RawSetString("name", in.RawGetString("name"))
		out.RawSetString("size", in.RawGetString("size"))
		L.Push(out)
		return 1
	}))
	L.SetGlobal("input", input)
	L.SetGlobal("echo", echo)
	fn, err := L.LoadString(benchLoop)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	L.Push(fn)
	if err := L.PCall(0, 0, nil); err != nil {
		b.Fatal(err)
	}
}
