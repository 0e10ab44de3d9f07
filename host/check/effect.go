package check

// judgeFunctions looks at what functions do, also through others: what they
// assign across the border of a step, what they call while the file is loaded,
// and steps where there can be none.
func (c *checker) judgeFunctions() {
	for _, f := range c.ordered() {
		if f.boundary() {
			c.judgeBoundary(f)
		}
		if f.polled() {
			c.judgePolled(f)
		}
		c.judgeLoops(f)
	}
	c.judgeLoading()
}

const whyNot = "a resumed run does not run again what has finished, it hands back the recorded value; return the value instead"

// place is how a boundary is called in a message.
func (f *fn) place() string {
	switch f.form {
	case "parallel":
		return "a branch of parallel"
	case "each":
		return "the body of each"
	case "undo":
		return "the undo of a step"
	}
	return "a step"
}

// judgeBoundary refuses assignments that leave the body of a step: on a
// resume they would not happen again.
func (c *checker) judgeBoundary(f *fn) {
	for s, line := range f.assigns {
		if !s.fn.within(f) && !c.innerBoundary(f, s, line) {
			c.errorf(line, CodeResume, "%q is changed inside %s but belongs outside of it: %s", s.name, f.place(), whyNot)
		}
	}
	c.throughCalls(f, f, map[*fn]bool{})
}

// innerBoundary tells whether a boundary inside f reports the same line.
func (c *checker) innerBoundary(f *fn, s *symbol, line int) bool {
	for _, g := range c.fns {
		if g != f && g.boundary() && g.within(f) && g.assigns[s] == line {
			return true
		}
	}
	return false
}

// throughCalls reports functions that are called in f and assign what is
// outside of it.
func (c *checker) throughCalls(f, in *fn, seen map[*fn]bool) {
	for _, call := range in.calls {
		if call.fn.within(f) {
			continue // what it assigns was seen there
		}
		for s := range c.assignedBy(call.fn, map[*fn]bool{}) {
			if !s.fn.within(f) {
				c.errorf(call.line, CodeResume, "this call changes %q, which belongs outside of %s: %s", s.name, f.place(), whyNot)
			}
		}
	}
	for _, g := range c.fns {
		if g.parent == in && !g.boundary() && !seen[g] {
			seen[g] = true
			c.throughCalls(f, g, seen)
		}
	}
}

// assignedBy are the outer symbols that f assigns, also through others.
func (c *checker) assignedBy(f *fn, seen map[*fn]bool) map[*symbol]bool {
	out := map[*symbol]bool{}
	if f == nil || seen[f] {
		return out
	}
	seen[f] = true
	for s := range f.assigns {
		if !s.fn.within(f) {
			out[s] = true
		}
	}
	for _, call := range f.calls {
		for s := range c.assignedBy(call.fn, seen) {
			if !s.fn.within(f) {
				out[s] = true
			}
		}
	}
	return out
}

// judgePolled refuses steps inside what eventually and retry call again and
// again.
func (c *checker) judgePolled(f *fn) {
	for _, it := range f.items {
		switch it.form {
		case "step", "parallel", "each":
			c.errorf(it.line, CodePolling, "a %s cannot stand inside %s, which may call it many times; put %s inside the %s", it.form, f.form, f.form, it.form)
		case "call":
			if title := firstTitle(it.callee, map[*fn]bool{}); title != "" {
				c.errorf(it.line, CodePolling, "this call reaches the step %q, which cannot stand inside %s", title, f.form)
			}
		}
	}
}

// judgeLoops refuses calls that reach the same step each time round.
func (c *checker) judgeLoops(f *fn) {
	for _, it := range f.items {
		if !it.looped {
			continue
		}
		if title := firstTitle(it.callee, map[*fn]bool{}); title != "" {
			c.errorf(it.line, CodeTitle, "this call reaches the step %q, which would have the same title each time round the loop; go through the list with each(title, list, function(item) ... end)", title)
		}
	}
}

// firstTitle is a titled part that a call of f reaches, or "".
func firstTitle(f *fn, seen map[*fn]bool) string {
	if f == nil || seen[f] {
		return ""
	}
	seen[f] = true
	for _, it := range f.items {
		if it.form == "call" {
			if title := firstTitle(it.callee, seen); title != "" {
				return title
			}
		} else if it.title != "" {
			return it.title
		}
	}
	return ""
}

// judgeLoading refuses calls that happen while the file is loaded.
func (c *checker) judgeLoading() {
	for _, ask := range c.main.asks {
		c.errorf(ask.line, CodeLoad, "%s is called while the file is loaded; it belongs inside run = function(input) ... end", ask.what)
	}
	for _, call := range c.main.calls {
		if what := firstAsk(call.fn, map[*fn]bool{}); what != "" {
			c.errorf(call.line, CodeLoad, "this calls %s while the file is loaded; it belongs inside run = function(input) ... end", what)
		}
	}
}

// firstAsk is a provider's function or a word that a call of f reaches.
func firstAsk(f *fn, seen map[*fn]bool) string {
	if f == nil || seen[f] {
		return ""
	}
	seen[f] = true
	for _, ask := range f.asks {
		return ask.what
	}
	for _, call := range f.calls {
		if what := firstAsk(call.fn, seen); what != "" {
			return what
		}
	}
	return ""
}
