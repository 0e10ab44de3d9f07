package cloudflaresim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// routeZone answers for one zone as a whole.
func (s *Sim) routeZone(z *zone, c *call) (answer, *problem) {
	switch c.method {
	case http.MethodGet:
		return answer{result: s.wireZone(z)}, nil
	case http.MethodDelete:
		delete(s.zones, z.id)
		return answer{result: map[string]any{"id": z.id}}, nil
	}
	return answer{}, notAllowed(c.method)
}

// createZone adds a zone that waits for its registrar to name Cloudflare's
// name servers.
func (s *Sim) createZone(c *call) (answer, *problem) {
	var asked struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(c.body, &asked); err != nil {
		return answer{}, &problem{400, 9207, "Failed to parse request body."}
	}
	name := plainName(asked.Name)
	switch {
	case !isName(name) || !strings.Contains(name, ".") || strings.HasPrefix(name, "*"):
		return answer{}, &problem{400, 1049, name + " is not a registered domain"}
	case asked.Type != "" && asked.Type != "full":
		return answer{}, &problem{400, 1067, "Invalid zone type. Valid zone types for this account: full"}
	case s.zoneByName(name) != nil:
		return answer{}, &problem{400, 1061, name + " already exists"}
	}
	return answer{result: s.wireZone(s.newZone(name, "pending"))}, nil
}

// newZone enters a zone in the books; the caller holds the lock.
func (s *Sim) newZone(name, status string) *zone {
	now := s.clock.Now().UTC()
	z := &zone{id: s.newID("zone"), name: name, status: status, created: now, changed: now, serial: 2_300_000_001}
	z.versions = []version{{visible: now, serial: z.serial}}
	s.zones[z.id] = z
	return z
}

// activated is when a zone began to be served under its name, nil while its
// registrar names others.
func (z *zone) activated() *time.Time {
	if z.status == "pending" {
		return nil
	}
	return &z.created
}

// purge takes what shall leave the cache; there is none to empty.
func purge(z *zone, c *call) (answer, *problem) {
	var asked struct {
		Everything bool  `json:"purge_everything"`
		Files      []any `json:"files"`
		Tags       []any `json:"tags"`
		Hosts      []any `json:"hosts"`
		Prefixes   []any `json:"prefixes"`
	}
	if err := json.Unmarshal(c.body, &asked); err != nil {
		return answer{}, &problem{400, 9207, "Failed to parse request body."}
	}
	if !asked.Everything && len(asked.Files)+len(asked.Tags)+len(asked.Hosts)+len(asked.Prefixes) == 0 {
		return answer{}, &problem{400, 1012, `Request must contain one of "purge_everything", "files", "tags", "hosts" or "prefixes"`}
	}
	return answer{result: map[string]any{"id": z.id}}, nil
}
