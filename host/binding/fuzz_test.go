package binding

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/secret"
)

// fuzzArgs have an argument of every kind.
type fuzzArgs struct {
	Name  string            `lua:"name" doc:"A text."`
	Mode  string            `lua:"mode" enum:"soft,hard" default:"soft" doc:"One of two."`
	Size  int               `lua:"size" default:"1" doc:"A whole number."`
	Small int32             `lua:"small,optional" doc:"A smaller one."`
	Port  uint32            `lua:"port,optional" doc:"One without a sign."`
	Share float64           `lua:"share,optional" doc:"A number."`
	On    bool              `lua:"on,optional" doc:"Yes or no."`
	Wait  time.Duration     `lua:"wait" default:"5m" doc:"A span."`
	At    time.Time         `lua:"at,optional" doc:"A moment."`
	Key   secret.Value      `lua:"key,optional" doc:"A secret."`
	Names []string          `lua:"names" default:"a,b" doc:"Texts."`
	Ports []uint64          `lua:"ports,optional" doc:"Numbers."`
	Marks map[string]string `lua:"marks,optional" doc:"Texts by name."`
	Any   any               `lua:"any,optional" doc:"Anything."`
	Disk  *Disk             `lua:"disk" doc:"A record."`
	Disks []Disk            `lua:"disks,optional" doc:"Records."`
}

// FuzzDecode feeds the decoder of arguments with data of any shape. It says
// what is wrong, or gives arguments that keep what their declaration promises
// and that come out the same when they are given again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"a"}`, `{"name":"a","mode":"hrad"}`, `{"name":"a","small":1099511627776}`, `{"name":"a","port":-1}`, `{"name":"a","share":"nan"}`,
		`{"name":"a","size":"1e9","on":"true","wait":"-5m","names":"x,y","ports":[1,2.5]}`, `{"name":{"$secret":"env:X"}}`, `{"name":"a","key":{"$secret":"env:X"},"any":[{"$secret":"y"}]}`,
		`{"name":"a","any":{"$planned":"x"},"size":"<planned: x>"}`, `{"name":"a","disk":{"name":"d","$type":"binding.Disk"},"disks":[{"name":"e"},{}]}`, `{"name":"a","marks":[],"at":"2026-02-28T03:00:00Z"}`,
		`[]`, `[1]`, `null`, `"x"`, `{"name":null,"$type":5}`, `{"name":"a","size":9007199254740993}`, `{"name":"a","wait":"9999999h"}`} {
		f.Add([]byte(seed))
	}
	typ := typeFor[fuzzArgs]()
	resolve := func(ref string) (secret.Value, error) { return secret.New("value of " + ref), nil }
	f.Fuzz(func(t *testing.T, text []byte) {
		var plain any
		if json.Unmarshal(text, &plain) != nil {
			return
		}
		var a fuzzArgs
		if err := decodeInto(&a, typ, plain, resolve); err != nil {
			var wrong *ArgumentError
			if !errors.As(err, &wrong) || wrong.Reason == "" {
				t.Fatalf("an error of another kind: %#v", err)
			}
			return
		}
		if !IsPlanned(a.Mode) && !slices.Contains([]string{"soft", "hard"}, a.Mode) || a.Wait < 0 || math.IsNaN(a.Share) || math.IsInf(a.Share, 0) {
			t.Fatalf("%s became %+v", text, a)
		}
		given, ok := plain.(map[string]any)
		if !ok {
			t.Fatalf("%s has no name and was taken", text)
		}
		for name, got := range map[string]float64{"small": float64(a.Small), "port": float64(a.Port), "size": float64(a.Size)} {
			if n, isNumber := given[name].(float64); isNumber && n != got {
				t.Fatalf("%s: %s became %v", text, name, got)
			}
		}
		// A secret does not come out of Encode, so it has to stay away.
		again, _ := Encode(a).(map[string]any)
		delete(again, "key")
		// Encode leaves out what is empty and optional; given again, it would
		// become the default.
		again["size"], again["wait"] = float64(a.Size), a.Wait.String()
		if len(a.Names) == 0 {
			again["names"] = []any{}
		}
		if a.At.IsZero() {
			delete(again, "at")
		}
		var b fuzzArgs
		if err := decodeInto(&b, typ, again, resolve); err != nil {
			t.Fatalf("%s was taken, and not again as %v: %v", text, again, err)
		}
		a.Key, b.Key = secret.Value{}, secret.Value{}
		if one, two := Encode(a), Encode(b); !reflect.DeepEqual(one, two) {
			t.Fatalf("%s is %v once and %v twice", text, one, two)
		}
	})
}
