package binding

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

type disk struct {
	Path string `lua:"path" doc:"Where."`
	Size int64  `lua:"size" doc:"Bytes."`
}

type Machine struct {
	Name  string            `lua:"name" doc:"Its name."`
	Up    bool              `lua:"up" doc:"Whether it runs."`
	Since time.Duration     `lua:"since" doc:"For how long."`
	Disks []disk            `lua:"disks" doc:"Its disks."`
	Tags  map[string]string `lua:"tags,optional" doc:"Its labels."`
}

func TestFit(t *testing.T) {
	shape := typeFor[Machine]()
	good := map[string]any{"name": "a", "up": true, "since": "5m", "disks": []any{map[string]any{"path": "/", "size": 4.0}}}
	got, err := shape.Fit(good)
	if err != nil {
		t.Fatal(err)
	}
	typed, _ := got.(map[string]any)
	if typed[typeKey] != "binding.Machine" || !reflect.DeepEqual(typed["disks"].([]any)[0].(map[string]any)["size"], 4.0) {
		t.Errorf("got %v", got)
	}
	again, err := shape.Fit(got) // what a call gives fits as well
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("once more: %v, %v", again, err)
	}
	for _, c := range []struct {
		change func(map[string]any)
		want   string
	}{
		{func(m map[string]any) { delete(m, "name") }, `lacks "name"`},
		{func(m map[string]any) { m["nam"] = "b" }, `has no field "nam"`},
		{func(m map[string]any) { m["up"] = "yes" }, "the result.up has to be like boolean"},
		{func(m map[string]any) { m["disks"] = []any{map[string]any{"path": "/", "size": 1.5}} }, "the result.disks[1].size has to be like integer"},
		{func(m map[string]any) { m["tags"] = map[string]any{"x": 1.0} }, `the result.tags.x has to be like "text"`},
	} {
		m := map[string]any{}
		for k, v := range good {
			m[k] = v
		}
		c.change(m)
		if _, err := shape.Fit(m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %s, got %v", c.want, err)
		}
	}
	for _, wrong := range []any{nil, "text", 1.0, []any{}} {
		if _, err := shape.Fit(wrong); err == nil {
			t.Errorf("%v fits", wrong)
		}
	}
	if _, err := typeFor[None]().Fit("something"); err == nil {
		t.Error("something fits where a call gives nothing")
	}
}
