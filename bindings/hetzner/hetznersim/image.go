package hetznersim

import (
	"slices"
	"strconv"
	"time"
)

// image is what a disk is made of.
type image struct {
	head
	kind, status, description, flavor, version, arch string
	diskSize                                         int
	imageSize                                        float64 // GB; 0: not known
	from                                             *resourceName
	boundTo                                          int64
	protectDelete                                    bool
	deprecated                                       time.Time
	busy                                             int
}

type resourceName struct {
	id   int64
	name string
}

// ref is what the metal calls the image: its name, or the id of a snapshot.
func (i *image) ref() string {
	if i.name != "" {
		return i.name
	}
	return strconv.FormatInt(i.id, 10)
}

// systemReleased is when the system images of the catalogue were published.
func systemReleased() time.Time { return time.Date(2025, 4, 1, 9, 0, 0, 0, time.UTC) }

func (s *Sim) addSystemImages() {
	id := int64(100)
	for _, one := range []struct {
		name, flavor, version, description string
		deprecated                         bool
	}{
		{"debian-11", "debian", "11", "Debian 11", true},
		{"debian-12", "debian", "12", "Debian 12", false},
		{"debian-13", "debian", "13", "Debian 13", false},
		{"ubuntu-22.04", "ubuntu", "22.04", "Ubuntu 22.04", false},
		{"ubuntu-24.04", "ubuntu", "24.04", "Ubuntu 24.04", false},
		{"rocky-9", "rocky", "9", "Rocky Linux 9", false},
	} {
		for _, arch := range []string{"x86", "arm"} {
			id++
			i := &image{
				head: head{id: id, name: one.name, created: systemReleased()}, kind: "system", status: "available",
				description: one.description, flavor: one.flavor, version: one.version, arch: arch, diskSize: 5,
			}
			if one.deprecated {
				i.deprecated = systemReleased()
			}
			s.images[id] = i
		}
	}
}

func (s *Sim) imageView(i *image) obj {
	view := obj{
		"id": i.id, "status": i.status, "type": i.kind, "name": optional(i.name), "description": i.description,
		"image_size": nil, "disk_size": i.diskSize, "created": stamp(i.created), "created_from": nil, "bound_to": nil,
		"os_flavor": i.flavor, "os_version": optional(i.version), "architecture": i.arch, "rapid_deploy": i.kind == "system",
		"protection": obj{"delete": i.protectDelete}, "deleted": nil, "labels": shown(i.labels),
		"deprecated": nil, "deprecation": nil,
	}
	if i.imageSize > 0 {
		view["image_size"] = i.imageSize
	}
	if i.from != nil {
		view["created_from"] = obj{"id": i.from.id, "name": i.from.name}
	}
	if i.boundTo != 0 {
		view["bound_to"] = i.boundTo
	}
	if !i.deprecated.IsZero() {
		view["deprecated"] = stamp(i.deprecated)
		view["deprecation"] = obj{"announced": stamp(i.deprecated), "unavailable_after": stamp(i.deprecated.AddDate(0, 3, 0))}
	}
	return view
}

// optional is a string that is null when empty.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// shown are labels as the API writes them: never null.
func shown(labels map[string]string) map[string]string {
	if labels == nil {
		return map[string]string{}
	}
	return labels
}

func (s *Sim) listImages(c *call) (int, any, error) {
	arch, deprecated := c.query["architecture"], c.query.Get("include_deprecated") == "true"
	list := slices.DeleteFunc(inOrder(s.images), func(i *image) bool {
		bound := i.boundTo != 0 && slices.Contains(c.query["bound_to"], strconv.FormatInt(i.boundTo, 10))
		return !oneOf(c.query["type"], i.kind) || !oneOf(c.query["status"], i.status) || !oneOf(arch, i.arch) ||
			(len(c.query["bound_to"]) > 0 && !bound) || (!i.deprecated.IsZero() && !deprecated)
	})
	return listing(c, "images", list, s.imageView)
}

func (s *Sim) getImage(c *call) (int, any, error) {
	i := s.images[c.id]
	if i == nil {
		return 0, nil, notFound("image", c.id)
	}
	return 200, obj{"image": s.imageView(i)}, nil
}

// ownImage is an image of the project's own, the only ones that may change.
func (s *Sim) ownImage(id int64) (*image, error) {
	i := s.images[id]
	switch {
	case i == nil:
		return nil, notFound("image", id)
	case i.kind != "snapshot" && i.kind != "backup":
		return nil, &problem{status: 403, code: "forbidden", message: "only snapshots and backups can be changed"}
	case i.busy > 0:
		return nil, locked("image")
	}
	return i, nil
}

func (s *Sim) updateImage(c *call) (int, any, error) {
	i, err := s.ownImage(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Description *string            `json:"description"`
		Type        *string            `json:"type"`
		Labels      *map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Type != nil && *asked.Type != "snapshot" {
		return 0, nil, invalid("type", "an image can only be turned into a snapshot")
	}
	if err := i.relabel(asked.Labels); err != nil {
		return 0, nil, err
	}
	if asked.Description != nil {
		i.description = *asked.Description
	}
	if asked.Type != nil {
		i.kind, i.boundTo = *asked.Type, 0
	}
	return 200, obj{"image": s.imageView(i)}, nil
}

// relabel replaces the labels, when new ones are given.
func (h *head) relabel(labels *map[string]string) error {
	if labels == nil {
		return nil
	}
	if err := checkLabels(*labels); err != nil {
		return err
	}
	h.labels = *labels
	return nil
}

func (s *Sim) deleteImage(c *call) (int, any, error) {
	i, err := s.ownImage(c.id)
	if err != nil {
		return 0, nil, err
	}
	if i.protectDelete {
		return 0, nil, protected("image deletion")
	}
	delete(s.images, i.id)
	return 204, nil, nil
}

func (s *Sim) protectImage(c *call) (int, any, error) {
	i, err := s.ownImage(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.protect(c, resource{i.id, "image"}, &i.busy, &i.protectDelete, nil)
}

// protect is the command change_protection of any resource. rebuild is nil for
// all but servers.
func (s *Sim) protect(c *call, on resource, busy *int, remove, rebuild *bool) (int, any, error) {
	var asked struct {
		Delete  *bool `json:"delete"`
		Rebuild *bool `json:"rebuild"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if rebuild != nil && asked.Delete != nil && asked.Rebuild != nil && *asked.Delete != *asked.Rebuild {
		return 0, nil, invalid("rebuild", "must be the same as delete")
	}
	return s.acted(s.start(job{
		command: "change_protection", on: []resource{on}, took: s.latency.Setting, busy: []*int{busy},
		end: func() {
			if asked.Delete != nil {
				*remove = *asked.Delete
			}
			if rebuild != nil && asked.Rebuild != nil {
				*rebuild = *asked.Rebuild
			}
		},
	}))
}

// findImage finds an image that a disk can be made of.
func (s *Sim) findImage(r ref, arch string) (*image, error) {
	var otherArch bool
	for _, i := range inOrder(s.images) {
		if !r.means(i.id, i.name) {
			continue
		}
		if i.arch != arch {
			otherArch = true
			continue
		}
		if i.status != "available" {
			return nil, unavailable("image is not available")
		}
		return i, nil
	}
	if otherArch {
		return nil, invalid("image", "the image is for another architecture than the server type (%s)", arch)
	}
	return nil, notFound("image", r.key())
}
