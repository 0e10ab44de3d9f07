package cloudflaresim

import (
	"encoding/json"
)

// turn is one request that changes a zone. It works on a copy, so that a
// refused batch leaves nothing behind.
type turn struct {
	sim     *Sim
	zone    *zone
	records []Record
}

// change runs do and publishes what it left, if it was not refused.
func (s *Sim) change(z *zone, _ *call, do func(*turn) (any, *problem)) (answer, *problem) {
	t := &turn{sim: s, zone: z, records: clip(z.records)}
	result, p := do(t)
	if p != nil {
		return answer{}, p
	}
	s.publish(z, t.records, s.propagation)
	return answer{result: result}, nil
}

func decode(body []byte, into any) *problem {
	if err := json.Unmarshal(body, into); err != nil {
		return &problem{400, 9207, "Request body is invalid."}
	}
	return nil
}

func (t *turn) post(body []byte) (any, *problem) {
	var d draft
	if p := decode(body, &d); p != nil {
		return nil, p
	}
	return t.add(d)
}

func (t *turn) put(id string, body []byte) (any, *problem) {
	var d draft
	if p := decode(body, &d); p != nil {
		return nil, p
	}
	return t.replace(id, d)
}

func (t *turn) patch(id string, body []byte) (any, *problem) {
	var d draft
	if p := decode(body, &d); p != nil {
		return nil, p
	}
	return t.alter(id, d)
}

func (t *turn) add(d draft) (any, *problem) {
	r, p := d.onto(Record{})
	if p != nil {
		return nil, p
	}
	made, p := t.sim.insert(t.zone, t.records, r)
	if p != nil {
		return nil, p
	}
	t.records = append(t.records, made)
	return t.zone.wire(made), nil
}

// replace is PUT: what the draft does not say falls back to its default.
func (t *turn) replace(id string, d draft) (any, *problem) {
	i := t.find(id)
	if i < 0 {
		return nil, noRecord()
	}
	return t.store(i, d, Record{ID: id, TTL: 1, CreatedOn: t.records[i].CreatedOn})
}

// alter is PATCH: what the draft does not say stays.
func (t *turn) alter(id string, d draft) (any, *problem) {
	i := t.find(id)
	if i < 0 {
		return nil, noRecord()
	}
	return t.store(i, d, t.records[i])
}

func (t *turn) store(i int, d draft, onto Record) (any, *problem) {
	r, p := d.onto(onto)
	if p != nil {
		return nil, p
	}
	r.ModifiedOn = t.sim.clock.Now().UTC()
	if r, p = t.sim.admitRecord(t.zone, t.records, r); p != nil {
		return nil, p
	}
	t.records[i] = r
	return t.zone.wire(r), nil
}

func (t *turn) remove(id string) (Record, *problem) {
	i := t.find(id)
	if i < 0 {
		return Record{}, noRecord()
	}
	gone := t.records[i]
	t.records = append(t.records[:i:i], t.records[i+1:]...)
	return gone, nil
}

func (t *turn) find(id string) int {
	for i, r := range t.records {
		if r.ID == id {
			return i
		}
	}
	return -1
}

// batch carries out deletes, patches, puts and posts in this order, all of
// them or none.
func (t *turn) batch(body []byte) (any, *problem) {
	var b struct{ Deletes, Patches, Puts, Posts []draft }
	if p := decode(body, &b); p != nil {
		return nil, p
	}
	out := map[string][]any{"deletes": {}, "patches": {}, "puts": {}, "posts": {}}
	do := func(kind string, drafts []draft, one func(draft) (any, *problem)) *problem {
		for _, d := range drafts {
			result, p := one(d)
			if p != nil {
				return p
			}
			out[kind] = append(out[kind], result)
		}
		return nil
	}
	p := do("deletes", b.Deletes, func(d draft) (any, *problem) {
		gone, p := t.remove(d.ID)
		return t.zone.wire(gone), p
	})
	if p == nil {
		p = do("patches", b.Patches, func(d draft) (any, *problem) { return t.alter(d.ID, d) })
	}
	if p == nil {
		p = do("puts", b.Puts, func(d draft) (any, *problem) { return t.replace(d.ID, d) })
	}
	if p == nil {
		p = do("posts", b.Posts, t.add)
	}
	if p != nil {
		return nil, p
	}
	return out, nil
}
