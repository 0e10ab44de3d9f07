package main

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// history is what one writer wrote, a transaction a second.
func history(lines int) (*writers, map[[2]int]entry) {
	w, have := &writers{sent: map[[2]int]entry{}}, map[[2]int]entry{}
	at := time.Unix(1_770_000_000, 0)
	for n := range lines {
		begun := at.Add(time.Duration(n) * time.Second)
		e := entry{number: n, from: n, to: n + 1, amount: 5, note: "n", begun: begun, xid: int64(700 + n), acked: begun.Add(time.Millisecond)}
		w.sent[[2]int{0, n}], have[[2]int{0, n}] = e, e
		w.acked = append(w.acked, e)
	}
	return w, have
}

func TestWhatWasWrittenIsKnown(t *testing.T) {
	w, whole := history(20)
	if err := w.written(whole); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(map[[2]int]entry){
		"never written": func(have map[[2]int]entry) { e := have[[2]int{0, 7}]; e.amount++; have[[2]int{0, 7}] = e },
		"was never":     func(have map[[2]int]entry) { have[[2]int{1, 0}] = entry{writer: 1} },
		"missing":       func(have map[[2]int]entry) { delete(have, [2]int{0, 7}) },
	} {
		have := maps.Clone(whole)
		change(have)
		if err := w.written(have); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWhatWasLostIsCounted(t *testing.T) {
	w, have := history(20)
	crash := w.acked[19].acked.Add(time.Second)
	if count, age := w.lost(have, crash); count != 0 || age != 0 {
		t.Errorf("%d, %s", count, age)
	}
	delete(have, [2]int{0, 19})
	delete(have, [2]int{0, 18})
	if count, age := w.lost(have, crash); count != 2 || age != 2*time.Second {
		t.Errorf("%d, %s", count, age)
	}
	other := have[[2]int{0, 3}] // the same line by another transaction is not the one that was acknowledged
	other.xid++
	have[[2]int{0, 3}] = other
	if count, _ := w.lost(have, crash); count != 3 {
		t.Errorf("%d", count)
	}
}

func TestJustBeforeATransaction(t *testing.T) {
	w, whole := history(40)
	x := w.acked[30]
	before := maps.Clone(whole)
	for n := 30; n < 40; n++ {
		delete(before, [2]int{0, n})
	}
	if err := w.justBefore(before, x); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(map[[2]int]entry){
		"itself":       func(have map[[2]int]entry) { have[[2]int{0, 30}] = x },
		"is there":     func(have map[[2]int]entry) { have[[2]int{0, 31}] = w.acked[31] },
		"acknowledged": func(have map[[2]int]entry) { delete(have, [2]int{0, 29}) },
	} {
		have := maps.Clone(before)
		change(have)
		if err := w.justBefore(have, x); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
