package binding

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/secret"
)

// Disk and Rack are results with a field of every kind.
type Disk struct {
	Name string `lua:"name" doc:"Its name."`
	Size int    `lua:"size,optional" doc:"GB."`
}

type Rack struct {
	Title string         `lua:"title" doc:"What it is."`
	At    time.Time      `lua:"at" doc:"When."`
	Took  time.Duration  `lua:"took" doc:"How long."`
	First *Disk          `lua:"first" doc:"May be missing."`
	Disks []Disk         `lua:"disks" doc:"All."`
	Load  map[string]any `lua:"load" doc:"By name."`
	Extra any            `lua:"extra" doc:"Whatever there is."`
	Key   secret.Value   `lua:"key,optional" doc:"Stays here."`
	Count uint64         `lua:"count" doc:"How many."`
	OK    bool           `lua:"ok" doc:"Whether."`
	Share float64        `lua:"share" doc:"Part."`
	inner string
}

func TestEncode(t *testing.T) {
	disk := map[string]any{"$type": "binding.Disk", "name": "sda", "size": 80.0}
	full := Rack{Title: "r\xff", At: time.Unix(1_770_000_000, 0), Took: 90 * time.Second, First: &Disk{"sda", 80}, Disks: []Disk{{"sda", 80}, {Name: "sdb"}},
		Load: map[string]any{"a": 1.5, "b": nil, "disk": Disk{"sda", 80}}, Extra: []any{"x", &Disk{"sda", 80}}, Key: secret.New("hidden-value"), Count: 7, OK: true, Share: 0.5, inner: "x"}
	want := map[string]any{"$type": "binding.Rack", "title": "r\uFFFD", "at": "2026-02-02T02:40:00Z", "took": "1m30s", "first": disk,
		"disks": []any{disk, map[string]any{"$type": "binding.Disk", "name": "sdb"}},
		"load":  map[string]any{"a": 1.5, "b": nil, "disk": disk}, "extra": []any{"x", disk}, "count": 7.0, "ok": true, "share": 0.5}
	if got := Encode(full); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := Encode(&full); !reflect.DeepEqual(got, want) {
		t.Errorf("by its pointer: %v", got)
	}
	empty := map[string]any{"$type": "binding.Rack", "title": "", "took": "0s", "disks": []any{}, "load": map[string]any{}, "count": 0.0, "ok": false, "share": 0.0}
	if got := Encode(Rack{}); !reflect.DeepEqual(got, empty) {
		t.Errorf("empty: %v", got)
	}
	for _, nothing := range []any{nil, None{}, (*Disk)(nil)} {
		if got := Encode(nothing); got != nil {
			t.Errorf("%T: %v", nothing, got)
		}
	}
}

func TestUnknownFieldsAreNamedInOrder(t *testing.T) {
	for range 20 { // a map has no order of its own
		var d Disk
		err := decodeInto(&d, typeFor[Disk](), map[string]any{"$type": "binding.Disk", "name": "sda", "zise": 1.0, "nam": "x", "sz": 2.0}, nil)
		var wrong *ArgumentError
		if !errors.As(err, &wrong) || wrong.Path != "nam" || wrong.Near != "name" {
			t.Fatalf("got %v", err)
		}
	}
}
