package sandbox

import (
	"testing"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
)

// TestPlannedMap: a map that only a write would fill answers every key, also
// after it went through a step's value.
func TestPlannedMap(t *testing.T) {
	vs := &values{catalog: testCatalog(t), metas: map[string]*lua.LTable{}}
	vm := newVM(Limits{})
	planned := binding.PlannedResult(&binding.Type{Kind: binding.Map, Elem: &binding.Type{Kind: binding.Integer}}, "tables of x")
	for range 2 {
		v := vs.toLua(vm.root, planned)
		if got, ok := vm.root.GetField(v, "customers").(lua.LNumber); !ok || !binding.IsPlannedNumber(float64(got)) {
			t.Fatalf("customers is %v", got)
		}
		var err error
		if planned, err = vs.toPlain(v); err != nil {
			t.Fatal(err)
		}
	}
}
