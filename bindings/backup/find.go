package backup

import (
	"context"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type findArgs struct {
	ID string `lua:"id" doc:"Backup, as backup.list names it."`
}

var lookUp = binding.Func[*Client, findArgs, Backup]{
	Name: "find", Effect: binding.Reads,
	Doc:     "The backup of that id, damaged or not: what it holds, and of which kind it is.",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Denied, fault.Unavailable},
	Example: `backup.find { id = "20260228T030000Z-0a1b2c3d" }`,
	Target:  "id",
	Call: func(c *Client, ctx context.Context, a findArgs) (Backup, error) {
		at, err := c.repository(ctx)
		if err != nil {
			return Backup{}, err
		}
		defer at.Store.Close()
		b, err := at.Find(ctx, a.ID)
		if err != nil {
			return Backup{}, err
		}
		return show(at, b, c.env.Clock.Now()), nil
	},
}
