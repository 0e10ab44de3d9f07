package hetznersim

// placementGroup keeps servers on different hosts. Here it is a list.
type placementGroup struct{ head }

func (s *Sim) placementView(g *placementGroup) obj {
	members := []int64{}
	for _, v := range inOrder(s.servers) {
		if v.placement == g.id {
			members = append(members, v.id)
		}
	}
	return obj{"id": g.id, "name": g.name, "labels": shown(g.labels), "created": stamp(g.created), "servers": members, "type": "spread"}
}

func (s *Sim) listPlacements(c *call) (int, any, error) {
	return listing(c, "placement_groups", inOrder(s.placements), s.placementView)
}

func (s *Sim) getPlacement(c *call) (int, any, error) {
	g := s.placements[c.id]
	if g == nil {
		return 0, nil, notFound("placement group", c.id)
	}
	return 200, obj{"placement_group": s.placementView(g)}, nil
}

func (s *Sim) createPlacement(c *call) (int, any, error) {
	var asked struct {
		Name   string            `json:"name"`
		Type   string            `json:"type"`
		Labels map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	switch {
	case asked.Name == "":
		return 0, nil, invalid("name", "must be given")
	case asked.Type != "spread":
		return 0, nil, invalid("type", "must be spread")
	case used(inOrder(s.placements), asked.Name, 0):
		return 0, nil, taken("placement group")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	g := &placementGroup{s.newHead(asked.Name, asked.Labels)}
	s.placements[g.id] = g
	return 201, obj{"placement_group": s.placementView(g), "action": nil}, nil
}

func (s *Sim) updatePlacement(c *call) (int, any, error) {
	g := s.placements[c.id]
	if g == nil {
		return 0, nil, notFound("placement group", c.id)
	}
	if err := rename(c, &g.head, inOrder(s.placements), "placement group"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"placement_group": s.placementView(g)}, nil
}

func (s *Sim) deletePlacement(c *call) (int, any, error) {
	if s.placements[c.id] == nil {
		return 0, nil, notFound("placement group", c.id)
	}
	for _, v := range s.servers {
		if v.placement == c.id {
			v.placement = 0
		}
	}
	delete(s.placements, c.id)
	return 204, nil, nil
}
