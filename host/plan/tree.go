package plan

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/journal"
)

// Of tells what the ways of a plan have found.
func Of(ways []*Way, leftOut, reads int) journal.Plan {
	p := journal.Plan{LeftOut: leftOut, Reads: reads, Tree: branch(ways, 0, 0), Ways: []journal.PlanWay{}, Calls: []journal.PlanCall{}}
	index := map[string]int{}
	for _, w := range ways {
		way := journal.PlanWay{Decisions: map[string]int{}, Calls: []int{}}
		for _, item := range w.items {
			switch x := item.Payload.(type) {
			case journal.Decision:
				way.Decisions[x.Key] = x.Choice
				if x.Form == "ask" {
					way.People++
				}
			case journal.Approval:
				way.People += max(x.Needs, 1)
			case journal.Finished:
				way.Result, way.Message = x.Result, x.Message
			case journal.Outcome:
				if x.Effect == binding.Reads.String() {
					continue
				}
				c := journal.PlanCall{Path: parent(x.Key), Call: x.Call, Effect: x.Effect, Args: x.Args, Says: x.Says, Site: x.Site}
				text, _ := json.Marshal(c)
				n, known := index[string(text)]
				if !known {
					n = len(p.Calls)
					index[string(text)] = n
					p.Calls = append(p.Calls, c)
				}
				way.Calls = append(way.Calls, n)
			}
		}
		p.Ways = append(p.Ways, way)
	}
	return p
}

// parent is the path that a call's key lies in.
func parent(key string) string {
	at := strings.LastIndexByte(key, '/')
	if at < 0 {
		return ""
	}
	return key[:at]
}

// branch tells what ways have in common from item number at on, and where they
// part.
func branch(ways []*Way, at, depth int) []journal.PlanNode {
	nodes := []journal.PlanNode{}
	first := ways[0]
	for ; at < len(first.items); at++ {
		item := first.items[at]
		if d, ok := item.Payload.(journal.Decision); ok {
			fork := journal.PlanNode{Form: "fork", Title: d.Text, Path: d.Key, Depth: depth, Planned: true, Site: d.Site}
			for n, answer := range d.Choices {
				choice := journal.PlanChoice{Answer: answer}
				if taken := taking(ways, at, n); len(taken) > 0 {
					choice.Then = branch(taken, at+1, depth)
				} else {
					choice.LeftOut = true
				}
				fork.Choices = append(fork.Choices, choice)
			}
			common := joined(&fork)
			return append(append(nodes, fork), common...)
		}
		nodes, depth = told(nodes, item, depth)
	}
	return nodes
}

// taking are the ways that answer decision number at with choice.
func taking(ways []*Way, at, choice int) []*Way {
	var out []*Way
	for _, w := range ways {
		if at >= len(w.items) {
			continue
		}
		if d, ok := w.items[at].Payload.(journal.Decision); ok && d.Choice == choice {
			out = append(out, w)
		}
	}
	return out
}

// joined takes from the choices of a fork what follows each of them alike.
func joined(fork *journal.PlanNode) []journal.PlanNode {
	for _, c := range fork.Choices {
		if c.LeftOut {
			return nil
		}
	}
	first := fork.Choices[0].Then
	same := 0
	for same < len(first) {
		node := first[len(first)-1-same]
		for _, c := range fork.Choices[1:] {
			if same >= len(c.Then) || !reflect.DeepEqual(c.Then[len(c.Then)-1-same], node) {
				node.Form = ""
			}
		}
		if node.Form == "" {
			break
		}
		same++
	}
	common := first[len(first)-same:]
	for i := range fork.Choices {
		c := &fork.Choices[i]
		c.Then = c.Then[:len(c.Then)-same]
	}
	return common
}

// told adds an item's line.
func told(nodes []journal.PlanNode, item Item, depth int) ([]journal.PlanNode, int) {
	switch x := item.Payload.(type) {
	case journal.Step:
		if item.Kind == journal.StepStarted {
			if x.Attempt > 1 {
				return nodes, depth + 1
			}
			return append(nodes, journal.PlanNode{Form: x.Form, Title: x.Title, Path: x.Path, Depth: depth, Optional: x.Optional, Site: x.Site}), depth + 1
		}
		depth--
		if x.Result == "fault" && x.Form != "branch" && x.Form != "parallel" && x.Form != "each" {
			nodes = append(nodes, journal.PlanNode{Form: "failed", Title: x.Title, Path: x.Path, Depth: depth + 1, Fault: x.Fault, Site: x.Site})
		}
	case journal.Outcome:
		if strings.HasPrefix(x.Call, "host.") || x.Call == "run.elapsed" {
			break
		}
		n := journal.PlanNode{Form: "call", Title: x.Says, Path: parent(x.Key), Depth: depth, Call: x.Call, Effect: x.Effect, Fault: x.Fault, Site: x.Site}
		n.Planned = binding.HoldsPlanned(x.Args)
		if x.Effect == binding.Reads.String() {
			n.Title, n.Before = Describe(x.Call, x.Args), item.Before && !n.Planned
		}
		nodes = append(nodes, n)
	case journal.Approval:
		nodes = append(nodes, journal.PlanNode{Form: "approval", Title: x.Text, Path: x.Site.Step, Depth: depth, Needs: max(x.Needs, 1), Site: x.Site})
	case journal.NoteText:
		form := "note"
		if x.Form == "expect" {
			form = "expect"
		}
		nodes = append(nodes, journal.PlanNode{Form: form, Title: x.Text, Path: x.Site.Step, Depth: depth, Planned: binding.IsPlanned(x.Text), Site: x.Site})
	case journal.Finished:
		nodes = append(nodes, journal.PlanNode{Form: "end", Title: x.Message, Result: x.Result, Exit: x.Exit, Fault: x.Fault, Planned: binding.IsPlanned(x.Message)})
	}
	return nodes, depth
}
