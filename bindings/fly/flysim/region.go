package flysim

import "strings"

// home is the region that the API is asked from.
const home = "ams"

// place is a region of the vendor's (fly.io/docs/reference/regions, 2026).
type place struct {
	code, name, area    string
	latitude, longitude float64
	gateway             bool
}

func places() []place {
	return []place{
		{"ams", "Amsterdam, Netherlands", "europe", 52.374342, 4.895439, true},
		{"arn", "Stockholm, Sweden", "europe", 59.6512, 17.9178, false},
		{"cdg", "Paris, France", "europe", 48.860875, 2.353477, true},
		{"fra", "Frankfurt, Germany", "europe", 50.1167, 8.6833, true},
		{"iad", "Ashburn, Virginia (US)", "north_america", 39.02214, -77.462556, true},
		{"lhr", "London, United Kingdom", "europe", 51.516434, -0.125656, true},
		{"nrt", "Tokyo, Japan", "asia_pacific", 35.621613, 139.741981, true},
		{"ord", "Chicago, Illinois (US)", "north_america", 41.891544, -87.630386, true},
		{"sin", "Singapore, Singapore", "asia_pacific", 1.3, 103.8, true},
		{"sjc", "San Jose, California (US)", "north_america", 37.351602, -121.896744, true},
		{"syd", "Sydney, Australia", "asia_pacific", -33.866033, 151.215439, true},
	}
}

func knownRegion(code string) bool {
	for _, p := range places() {
		if p.code == code {
			return true
		}
	}
	return false
}

// capacity is how many small machines a region has room for.
func (s *Sim) capacity(code string) int {
	if s.full[code] || s.down[code] {
		return 0
	}
	return 1000
}

func (s *Sim) regionViews() []obj {
	list := []obj{}
	for _, p := range places() {
		list = append(list, obj{"code": p.code, "name": p.name, "latitude": p.latitude, "longitude": p.longitude,
			"gateway_available": p.gateway, "requires_paid_plan": false, "deprecated": false, "capacity": s.capacity(p.code),
			"geo_region": p.area})
	}
	return list
}

func (s *Sim) listRegions(*call) (int, any, error) {
	return 200, obj{"Regions": s.regionViews(), "Nearest": home}, nil
}

// placements tells where how many machines would find room. An empty list of
// regions, or "any" in it, asks for all.
func (s *Sim) placements(c *call) (int, any, error) {
	c.question = true
	var in struct {
		Region string `json:"region"`
		Count  int    `json:"count"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	asked := strings.Split(or(in.Region, "any"), ",")
	list := []obj{}
	for _, p := range places() {
		for _, one := range asked {
			if one != p.code && one != "any" {
				continue
			}
			count := s.capacity(p.code)
			if in.Count > 0 {
				count = min(count, in.Count)
			}
			list = append(list, obj{"Region": p.code, "Count": count, "Concurrency": 1})
			break
		}
	}
	return 200, obj{"Regions": list}, nil
}
