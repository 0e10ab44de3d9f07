package cloudflaresim

import (
	"cmp"
	"fmt"
	"strings"
)

// SetContent gives every record of that name and type another content, as if
// somebody had changed it by hand a while ago: the name servers have it at
// once, and caches keep the old one for the rest of its TTL.
func (s *Sim) SetContent(zone, name, recordType, content string) error {
	return s.Tamper(zone, name, recordType, func(r *Record) { r.Content = content })
}

// Tamper changes every record of that name and type as SetContent does.
func (s *Sim) Tamper(zone, name, recordType string, change func(*Record)) error {
	return s.tamper(zone, name, recordType, func(r Record) (Record, bool) {
		change(&r)
		r.ModifiedOn = s.clock.Now().UTC()
		return r, true
	})
}

// Remove takes every record of that name and type away; of any type when
// recordType is empty.
func (s *Sim) Remove(zone, name, recordType string) error {
	return s.tamper(zone, name, recordType, func(r Record) (Record, bool) { return r, false })
}

func (s *Sim) tamper(zone, name, recordType string, change func(Record) (Record, bool)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zoneByName(plainName(zone))
	if z == nil {
		return fmt.Errorf("set %s: there is no zone %s", name, zone)
	}
	var next []Record
	found := 0
	for _, r := range z.records {
		if r.Name != qualify(name, z.name) || (recordType != "" && !strings.EqualFold(r.Type, recordType)) {
			next = append(next, r)
			continue
		}
		found++
		changed, kept := change(r)
		if !kept {
			continue
		}
		if p := changed.check(); p != nil {
			return fmt.Errorf("set %s: %w", name, p)
		}
		next = append(next, changed)
	}
	if found == 0 {
		return fmt.Errorf("there is no record %s of type %s", name, cmp.Or(recordType, "any"))
	}
	s.publish(z, next, 0)
	return nil
}

// SetStatus makes a zone active, pending (the registrar does not name the
// vendor's servers) or moved.
func (s *Sim) SetStatus(zone, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zoneByName(plainName(zone))
	if z == nil {
		return fmt.Errorf("set the status of %s: there is no such zone", zone)
	}
	z.status = status
	return nil
}
