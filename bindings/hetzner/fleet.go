package hetzner

import (
	"context"
	"strconv"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

// serverKey is what a server is looked up by: its id, or its name or id as a
// runbook wrote it.
type serverKey struct {
	id   int64
	name string
}

func (c *Client) serverByID(ctx context.Context, id int64) (*hcloud.Server, *hcloud.Response, error) {
	found, err := c.servings.get(ctx, serverKey{id: id})
	return found[serverKey{id: id}], nil, err
}

func (c *Client) serverCalled(ctx context.Context, name string) (*hcloud.Server, *hcloud.Response, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil { // as the vendor's library does
		if s, _, err := c.serverByID(ctx, id); err != nil || s != nil {
			return s, nil, err
		}
	}
	found, err := c.servings.get(ctx, serverKey{name: name})
	return found[serverKey{name: name}], nil, err
}

// askServers looks up the servers that any branch asks for: one by one, or all
// at once where a list takes fewer requests.
func (c *Client) askServers(ctx context.Context, keys []serverKey) (map[serverKey]*hcloud.Server, error) {
	defer c.pace.refund(ctx)
	wanted := map[serverKey]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	found := map[serverKey]*hcloud.Server{}
	if len(wanted) > 1 {
		if err := c.listServers(ctx, wanted, found); err != nil {
			return nil, err
		}
	}
	// What a list misses may have slipped from one page to another meanwhile.
	for k := range wanted {
		var s *hcloud.Server
		var err error
		if k.id != 0 {
			s, _, err = c.api.Server.GetByID(ctx, k.id)
		} else {
			s, _, err = c.api.Server.GetByName(ctx, k.name)
		}
		if err != nil {
			return nil, err
		}
		if s != nil {
			found[k] = s
		}
	}
	return found, nil
}

// perPage is the most that Hetzner answers at a time.
const perPage = 50

// listServers moves what it finds from wanted to found. It gives up as soon as
// looking up what is left takes fewer requests than the pages that are left.
func (c *Client) listServers(ctx context.Context, wanted map[serverKey]bool, found map[serverKey]*hcloud.Server) error {
	c.mu.Lock()
	pages := max(1, c.pages)
	c.mu.Unlock()
	for page := 1; len(wanted) > 0 && len(wanted) > pages-page; page++ {
		list, resp, err := c.api.Server.List(ctx, hcloud.ServerListOpts{ListOpts: hcloud.ListOpts{Page: page, PerPage: perPage}, Sort: []string{"id"}})
		if err != nil {
			return err
		}
		for _, s := range list {
			for _, k := range []serverKey{{id: s.ID}, {name: s.Name}} {
				if wanted[k] {
					found[k] = s
					delete(wanted, k)
				}
			}
		}
		if resp.Meta.Pagination != nil {
			pages = resp.Meta.Pagination.LastPage
		}
		c.mu.Lock()
		c.pages = pages
		c.mu.Unlock()
		if page >= pages {
			return nil
		}
	}
	return nil
}
