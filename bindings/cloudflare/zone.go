package cloudflare

import (
	"context"
	"strings"
	"time"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Zone is a domain at Cloudflare.
type Zone struct {
	ID          string   `lua:"id" doc:"Identifier, 32 hexadecimal digits."`
	Name        string   `lua:"name" doc:"Name of the domain."`
	Status      string   `lua:"status" doc:"active when Cloudflare answers for it."`
	Paused      bool     `lua:"paused" doc:"Whether Cloudflare answers DNS only, proxying nothing."`
	Nameservers []string `lua:"nameservers" doc:"Names of the servers that Cloudflare assigned."`

	account string // that the zone belongs to
}

// Token is what Cloudflare says of the API token in use.
type Token struct {
	ID      string    `lua:"id" doc:"Identifier of the token, which is no secret."`
	Status  string    `lua:"status" doc:"active, disabled or expired."`
	Expires time.Time `lua:"expires,optional" doc:"When it stops working; absent when it never does."`
}

type verifyTokenArgs struct{}

var verifyToken = binding.Func[*Client, verifyTokenArgs, Token]{
	Name: "verify_token", Effect: binding.Reads,
	Doc:     "Ask Cloudflare whether the API token is valid. It says nothing about the token's rights.",
	Raises:  []fault.Kind{fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.verify_token {}`,
	Call:    (*Client).verifyToken,
}

func (c *Client) verifyToken(ctx context.Context, _ verifyTokenArgs) (Token, error) {
	t, err := c.api.VerifyAPIToken(ctx)
	if err != nil {
		return Token{}, c.translate("verify the API token", err)
	}
	return Token{ID: t.ID, Status: t.Status, Expires: t.ExpiresOn}, nil
}

type zonesArgs struct{}

var zones = binding.Func[*Client, zonesArgs, []Zone]{
	Name: "zones", Effect: binding.Reads,
	Doc:     "List the zones that the token may see.",
	Raises:  []fault.Kind{fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.zones {}`,
	Call:    (*Client).listZones,
}

func (c *Client) listZones(ctx context.Context, _ zonesArgs) ([]Zone, error) {
	found, err := c.api.ListZonesContext(ctx)
	if err != nil {
		return nil, c.translate("list zones", err)
	}
	out := make([]Zone, 0, len(found.Result))
	for _, z := range found.Result {
		out = append(out, zoneFrom(z))
	}
	return out, nil
}

type zoneArgs struct {
	Name string `lua:"name" doc:"Name of the zone."`
}

var zone = binding.Func[*Client, zoneArgs, Zone]{
	Name: "zone", Effect: binding.Reads,
	Doc:     "Look a zone up by its name.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.zone { name = "webhost.systems" }`,
	Target:  "name",
	Call:    (*Client).zone,
}

func (c *Client) zone(ctx context.Context, a zoneArgs) (Zone, error) {
	name := plain(a.Name)
	found, err := c.api.ListZonesContext(ctx, cf.WithZoneFilters(name, "", ""))
	if err != nil {
		return Zone{}, c.translate("find zone "+name, err)
	}
	for _, z := range found.Result {
		if plain(z.Name) == name {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.zones[name] = zoneFrom(z)
			return c.zones[name], nil
		}
	}
	f := fault.New(fault.NotFound, "there is no zone %s that this token may see", name).WithOp("find zone %s", name)
	if near := c.zoneLike(ctx, name); near != "" {
		return Zone{}, f.WithHint("did you mean %q?", near)
	}
	return Zone{}, f.WithHint("cloudflare.zones {} lists those it may see")
}

// zoneLike is the zone whose name comes nearest to name, or "".
func (c *Client) zoneLike(ctx context.Context, name string) string {
	found, err := c.api.ListZonesContext(ctx)
	if err != nil {
		return ""
	}
	var names []string
	for _, z := range found.Result {
		names = append(names, plain(z.Name))
	}
	return binding.Nearest(name, names)
}

// known returns a zone, asking for it once.
func (c *Client) known(ctx context.Context, name string) (Zone, error) {
	c.mu.Lock()
	z, ok := c.zones[plain(name)]
	c.mu.Unlock()
	if ok {
		return z, nil
	}
	return c.zone(ctx, zoneArgs{Name: name})
}

func zoneFrom(z cf.Zone) Zone {
	return Zone{ID: z.ID, Name: z.Name, Status: z.Status, Paused: z.Paused, Nameservers: z.NameServers, account: z.Account.ID}
}

// plain is a name in lower case without a final dot.
func plain(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}
