package flysim

import (
	"strings"
	"time"
)

// release is one deployment of an app.
type release struct {
	id, image, status, strategy, reason string
	version                             int
	created                             time.Time
	config                              obj
}

// addRelease makes the next release of an app; the caller holds the lock.
func (s *Sim) addRelease(a *app, image, status, strategy string, config obj) *release {
	if config == nil {
		config = a.config
	}
	r := &release{id: s.hex(20), image: image, status: status, strategy: strings.ToUpper(or(strategy, "rolling")),
		reason: "Deployment", version: len(a.releases) + 1, created: s.now(), config: config}
	a.releases = append(a.releases, r)
	return r
}

func (a *app) newest() *release {
	if len(a.releases) == 0 {
		return nil
	}
	return a.releases[len(a.releases)-1]
}

func releaseView(r *release) obj {
	return obj{"id": r.id, "version": r.version, "stable": r.status == "complete", "in_progress": r.status == "running",
		"status": r.status, "strategy": r.strategy, "user": owner, "created_at": stamp(r.created), "image_ref": r.image}
}

func (s *Sim) listReleases(c *call) (int, any, error) {
	list := []obj{}
	for i := len(c.app.releases) - 1; i >= 0; i-- {
		list = append(list, releaseView(c.app.releases[i]))
	}
	return 200, obj{"releases": list}, nil
}

func (s *Sim) currentRelease(c *call) (int, any, error) {
	if c.app.newest() == nil {
		return 0, nil, notFound("release")
	}
	return 200, releaseView(c.app.newest()), nil
}

func (s *Sim) createRelease(c *call) (int, any, error) {
	var in struct {
		App        string `json:"app_name"`
		Image      string `json:"image"`
		Strategy   string `json:"strategy"`
		Definition obj    `json:"definition"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	a := s.apps[in.App]
	if a == nil {
		return 0, nil, notFound("app")
	}
	r := s.addRelease(a, in.Image, "pending", in.Strategy, in.Definition)
	return 201, obj{"release": releaseView(r)}, nil
}

func (s *Sim) updateRelease(c *call) (int, any, error) {
	var in struct {
		Status string `json:"status"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	for _, a := range s.apps {
		for _, r := range a.releases {
			if r.id == c.PathValue("release") {
				r.status = or(in.Status, r.status)
				return 200, releaseView(r), nil
			}
		}
	}
	return 0, nil, notFound("release")
}

func (s *Sim) releaseTimes(*call) (int, any, error) {
	times := obj{}
	for _, a := range s.apps {
		if r := a.newest(); r != nil {
			times[a.name] = stamp(r.created)
		}
	}
	return 200, times, nil
}

// createBuild and finishBuild answer what flyctl tells of its builds: an
// image that is named needs none.
func (s *Sim) createBuild(*call) (int, any, error) {
	s.sequence++
	return 200, obj{"id": s.sequence, "status": "started", "wallclock_time_ms": 0}, nil
}

func (s *Sim) finishBuild(c *call) (int, any, error) {
	var in struct {
		ID     int64  `json:"build_id"`
		Status string `json:"status"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	return 200, obj{"id": in.ID, "status": or(in.Status, "completed"), "wallclock_time_ms": 1}, nil
}

// orgNumber is the organization's number where the API wants one.
const orgNumber = 4711

func (s *Sim) organization() obj {
	return obj{"id": "jlyv9r5d56v18u", "internal_numeric_id": orgNumber, "slug": s.org, "raw_slug": s.org, "paid_plan": true,
		"personal": false, "billing_status": "CURRENT", "provisions_beta_extensions": false, "name": s.org, "billable": true,
		"remote_builder_image": ""}
}

func (s *Sim) listOrganizations(*call) (int, any, error) {
	return 200, obj{"organizations": []obj{s.organization()}}, nil
}

func (s *Sim) getOrganization(c *call) (int, any, error) {
	if org := c.PathValue("org"); org != s.org && org != "personal" {
		return 0, nil, notFound("organization")
	}
	return 200, obj{"organization": s.organization()}, nil
}

func (s *Sim) listAddresses(c *call) (int, any, error) {
	return 200, obj{"ips": []obj{{"ip": c.app.shared, "region": "global", "service_name": "", "shared": true, "created_at": stamp(c.app.created)}}}, nil
}

func (s *Sim) listCertificates(*call) (int, any, error) {
	return 200, obj{"certificates": []obj{}, "next_cursor": "", "total_count": 0}, nil
}
