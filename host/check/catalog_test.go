package check_test

import (
	"context"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/secret"
)

// The catalog of these tests: its functions are declared, never called.

type client struct{}

type settings struct{}

type Disk struct {
	Size  int64  `lua:"size" doc:"In GiB."`
	Image string `lua:"image,optional" doc:"Its image."`
}

type Server struct {
	Name    string            `lua:"name" doc:"Its name."`
	Status  string            `lua:"status" doc:"running or off."`
	IPv4    string            `lua:"ipv4,optional" doc:"Its address."`
	Cores   int64             `lua:"cores" doc:"How many."`
	Locked  bool              `lua:"locked" doc:"Whether an action holds it."`
	Disk    Disk              `lua:"disk" doc:"Its disk."`
	Volumes []Disk            `lua:"volumes" doc:"Attached disks."`
	Labels  map[string]string `lua:"labels" doc:"Its labels."`
	Created time.Time         `lua:"created" doc:"When."`
}

type Answer struct {
	OK     bool   `lua:"ok" doc:"Whether it is as it should be."`
	Reason string `lua:"reason,optional" doc:"Why not."`
	Body   any    `lua:"body,optional" doc:"What it said."`
}

type nameArgs struct {
	Name string `lua:"name" doc:"Name or id of the server."`
}

type listArgs struct {
	Label string `lua:"label,optional" doc:"A label."`
}

type rebootArgs struct {
	Server string        `lua:"server" doc:"Name or id of the server."`
	Mode   string        `lua:"mode" enum:"soft,hard" default:"soft" doc:"How."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long it may take."`
}

type diskArgs struct {
	Size int64 `lua:"size" doc:"In GiB."`
}

type createArgs struct {
	Name      string            `lua:"name" doc:"Its name."`
	Locations []string          `lua:"locations,optional" doc:"Where, in order of preference."`
	Labels    map[string]string `lua:"labels,optional" doc:"Labels."`
	Volumes   []diskArgs        `lua:"volumes,optional" doc:"Disks."`
	Start     bool              `lua:"start" default:"true" doc:"Whether it is started."`
	Weight    float64           `lua:"weight,optional" doc:"A number."`
	Since     time.Time         `lua:"since,optional" doc:"A moment."`
	Password  secret.Value      `lua:"password,optional" doc:"Of root."`
	Extra     any               `lua:"extra,optional" doc:"Anything."`
}

type checkArgs struct {
	URL  string         `lua:"url" doc:"What to ask."`
	JSON map[string]any `lua:"json,optional" doc:"What the answer must hold."`
}

func declare[A, R any](effect binding.Effect, name, example string, result R) binding.Function {
	f := binding.Func[*client, A, R]{Name: name, Effect: effect, Doc: "Test function.", Example: example,
		Call: func(*client, context.Context, A) (R, error) { return result, nil }}
	if effect != binding.Reads {
		f.Says = name
		f.Predict = f.Call
		f.Settled = func(*client, context.Context, A) (binding.Settlement[R], error) { return binding.Settlement[R]{}, nil }
	}
	return binding.Declare(f)
}

func catalog(t testing.TB) *binding.Catalog {
	t.Helper()
	open := func(binding.Env, settings) (*client, error) { return &client{}, nil }
	c, err := binding.NewCatalog(
		binding.NewModule("hetzner", "Servers.", open,
			declare[nameArgs](binding.Reads, "server", `hetzner.server { name = "hobby-1" }`, Server{}),
			declare[listArgs](binding.Reads, "servers", `hetzner.servers {}`, []Server{}),
			declare[rebootArgs](binding.Mutates, "reboot", `hetzner.reboot { server = "hobby-1", mode = "hard" }`, Server{}),
			declare[createArgs](binding.Mutates, "create_server", `hetzner.create_server { name = "hobby-3" }`, Server{}),
			declare[nameArgs](binding.Destroys, "delete_server", `hetzner.delete_server { name = "hobby-1" }`, binding.None{})),
		binding.NewModule("http", "Requests.", open,
			declare[checkArgs](binding.Reads, "check", `http.check { url = "http://example.org/health" }`, Answer{})))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// std are the std modules of these tests.
func std() map[string][]byte {
	return map[string][]byte{
		"std.health": []byte("local http = require \"http\"\nlocal M = {}\nfunction M.ok(url) return http.check { url = url }.ok end\n" +
			"function M.watch() return step(\"Watch the health\", function() return true end) end\nreturn M\n"),
		"std.outage": []byte("require \"std.health\"\nreturn { tell = function() end }\n"),
	}
}
