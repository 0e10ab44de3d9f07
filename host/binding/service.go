package binding

import "context"

// Say tells the operator of a service how it is getting on; an alarm is what
// somebody has to do something about.
type Say func(alarm bool, text string)

// Service is something of a module that runs until it is told to stop, for
// months: an archiver. Runbooks cannot call it; the command line runs it with
// the environment's settings, and the supervisor of the machine keeps it up.
type Service struct {
	Name    string
	Doc     string
	Example string // the command line that runs it
	Args    *Type  // a record
	run     func(ctx context.Context, client, plain any, resolve Resolver, say Say) error
}

// Serve declares a service of a provider with client C and arguments A. run
// returns nil when ctx has ended and everything is in order; a fault says that
// starting it again would not help.
func Serve[C, A any](name, doc, example string, run func(C, context.Context, A, Say) error) *Service {
	args := typeFor[A]()
	return &Service{Name: name, Doc: doc, Example: example, Args: args,
		run: func(ctx context.Context, client, plain any, resolve Resolver, say Say) error {
			var a A
			if err := decodeInto(&a, args, plain, resolve); err != nil {
				return err
			}
			return run(client.(C), ctx, a, say)
		}}
}

// Run runs the service with arguments given as plain data. A mistake in them is
// an *ArgumentError.
func (s *Service) Run(ctx context.Context, client any, plain map[string]any, resolve Resolver, say Say) error {
	return s.run(ctx, client, plain, resolve, say)
}

// Service returns the service called name, or nil.
func (m *Module) Service(name string) *Service {
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// WithServices adds services to a module and returns it.
func (m *Module) WithServices(services ...*Service) *Module {
	m.Services = append(m.Services, services...)
	return m
}
