package reference_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/reference"
	"github.com/webhost-systems/drhost/host/secret"
	"github.com/webhost-systems/drhost/host/words"
)

var update = flag.Bool("update", false, "write the golden files anew")

type client struct{}

type settings struct {
	Token    secret.Value `lua:"token" default:"env:CLOUD_TOKEN" doc:"The API token."`
	Endpoint string       `lua:"endpoint" default:"https://api.example.org" doc:"Where the API is."`
	Accounts []account    `lua:"accounts,optional" doc:"Others | as well."`
}

type account struct {
	Name string `lua:"name" doc:"Its name."`
}

type Disk struct {
	Size int64 `lua:"size" doc:"In GiB."`
	Next *Disk `lua:"next" doc:"The next one."`
}

type Server struct {
	Name    string            `lua:"name" doc:"Its name."`
	IPv4    string            `lua:"ipv4,optional" doc:"Its address; nil without one."`
	Locked  bool              `lua:"locked" doc:"Whether an action holds it."`
	Load    float64           `lua:"load" doc:"How busy it is."`
	Created time.Time         `lua:"created" doc:"When."`
	Disks   []Disk            `lua:"disks" doc:"Its disks."`
	Labels  map[string]string `lua:"labels" doc:"Its labels."`
}

type serverArgs struct {
	Name string `lua:"name" doc:"Name of the server."`
}

type diskArgs struct {
	Size int64    `lua:"size" doc:"In GiB."`
	Kind []string `lua:"kind,optional" enum:"ssd,hdd" doc:"What it may be."`
}

type createArgs struct {
	Name   string        `lua:"name" doc:"Its name."`
	Mode   string        `lua:"mode" enum:"soft,hard" default:"soft" doc:"How."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long it may take."`
	Key    secret.Value  `lua:"key,optional" doc:"A credential."`
	Disks  []diskArgs    `lua:"disks,optional" doc:"What is attached."`
	Extra  any           `lua:"extra,optional" doc:"Anything."`
}

type summary struct {
	Count int64  `lua:"count" doc:"How many."`
	Why   string `lua:"why,optional" doc:"Why none."`
}

func declare[A, R any](effect binding.Effect, name, doc, example string, result R) binding.Function {
	call := func(*client, context.Context, A) (R, error) { return result, nil }
	return binding.Declare(binding.Func[*client, A, R]{Name: name, Effect: effect, Doc: doc, Says: name, Example: example,
		Raises: []fault.Kind{fault.NotFound, fault.Timeout}, Call: call, Predict: call,
		Settled: func(*client, context.Context, A) (binding.Settlement[R], error) { return binding.Settlement[R]{}, nil }})
}

func catalog(t *testing.T) *binding.Catalog {
	t.Helper()
	c, err := binding.NewCatalog(binding.NewModule("cloud", "Servers of a cloud.", func(binding.Env, settings) (*client, error) { return nil, nil },
		declare[serverArgs](binding.Reads, "server", "One server by name.", `cloud.server { name = "a" }`, Server{}),
		declare[struct{}](binding.Reads, "servers", "All servers.", `cloud.servers {}`, []Server{}),
		declare[serverArgs](binding.Reads, "summary", "How many servers there are.", "local s = cloud.summary { name = \"a\" }\nprint(s.count)", summary{}),
		declare[createArgs](binding.Mutates, "create_server", "Make a server.\nIt takes a while.", `cloud.create_server { name = "a", disks = { { size = 10 } } }`, Server{}),
		declare[serverArgs](binding.Destroys, "delete_server", "Delete a server.", `cloud.delete_server { name = "a" }`, binding.None{})))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGolden(t *testing.T) {
	c := catalog(t)
	files := reference.Stubs(c)
	for name, text := range reference.Pages(c) {
		files[name] = text
	}
	files["luarc.json"] = reference.Luarc()
	if len(files) != 5 {
		t.Errorf("%d files", len(files))
	}
	for name, got := range files {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs; look at it, then run the test with -update:\n%s", name, got)
		}
	}
}

func TestSameEachTime(t *testing.T) {
	for range 5 {
		a, b := reference.Stubs(catalog(t)), reference.Stubs(catalog(t))
		for name := range a {
			if !bytes.Equal(a[name], b[name]) {
				t.Errorf("%s differs from one time to the next", name)
			}
		}
		pages, again := reference.Pages(catalog(t)), reference.Pages(catalog(t))
		for name := range pages {
			if !bytes.Equal(pages[name], again[name]) {
				t.Errorf("%s differs from one time to the next", name)
			}
		}
	}
}

func TestStubsAreLua(t *testing.T) {
	for name, text := range reference.Stubs(catalog(t)) {
		for _, p := range check.Module(name, text, check.Options{}) {
			if p.Code == check.CodeSyntax {
				t.Error(p)
			}
		}
	}
}

func TestEveryWordIsThere(t *testing.T) {
	stub, page := string(reference.Stubs(catalog(t))["words.lua"]), string(reference.Pages(catalog(t))["words.md"])
	for _, w := range words.All() {
		if w.Name != "require" && !strings.Contains(stub, "\nfunction "+w.Name+"(") {
			t.Errorf("words.lua lacks %s", w.Name)
		}
		if !strings.Contains(page, "\n## "+w.Name+"\n") || !strings.Contains(page, w.Signature()) {
			t.Errorf("words.md lacks %s", w.Name)
		}
		for _, o := range w.Options {
			if !strings.Contains(page, "`options."+o.Name+"`") || !strings.Contains(stub, "---@field "+o.Name+"?") {
				t.Errorf("the option %s of %s is not described", o.Name, w.Name)
			}
		}
	}
}

func TestLuarcIsJSON(t *testing.T) {
	var settings map[string]any
	if err := json.Unmarshal(reference.Luarc(), &settings); err != nil || settings["runtime.version"] != "Lua 5.1" {
		t.Errorf("%v: %v", err, settings)
	}
}
