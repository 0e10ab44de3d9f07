// Command torture lets runs die at every boundary and resumes them. Without
// --drill it holds the whole campaign.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/webhost-systems/drhost/tests/torture"
)

func main() {
	if torture.IsLife() {
		os.Exit(torture.Live())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		code = 2
	}
	os.Exit(code)
}

// options are the flags.
type options struct {
	one     torture.Trial
	drill   string
	part    string
	workers int
	speed   float64
	trace   bool
}

func parse(args []string) (options, error) {
	var o options
	f := pflag.NewFlagSet("torture", pflag.ContinueOnError)
	f.StringVar(&o.drill, "drill", "", "only this drill, by the name of its file")
	f.StringVar(&o.one.Schedule, "schedule", "", "only this schedule: "+strings.Join(torture.Schedules, ", "))
	f.StringVar(&o.one.Death, "death", "", "only this death: kill, power, torn or mixed")
	f.Int64Var(&o.one.Seed, "seed", 0, "seed of what is chance")
	f.IntVar(&o.one.At, "at", 0, "with --schedule single: the boundary")
	f.IntVar(&o.one.Most, "most", 0, "deaths at most; 0: no limit")
	f.BoolVar(&o.one.Undo, "undo", false, "let the run live, and its undo die")
	f.StringVar(&o.part, "part", "", "only this part of the campaign: 2/3 is the second of three")
	f.IntVar(&o.workers, "workers", 2, "worlds at a time")
	f.Float64Var(&o.speed, "speed", torture.Speed, "how many times faster than life the worlds wait")
	f.BoolVar(&o.trace, "trace", false, "print every death")
	err := f.Parse(args)
	if err == nil && o.one.Schedule != "" && !slices.Contains(torture.Schedules, o.one.Schedule) {
		err = fmt.Errorf("there is no schedule %q; there are %s", o.one.Schedule, strings.Join(torture.Schedules, ", "))
	}
	return o, err
}

func run(ctx context.Context, args []string) (int, error) {
	o, err := parse(args)
	if err != nil {
		return 2, err
	}
	dir, remove, err := torture.Scratch()
	if err != nil {
		return 2, err
	}
	defer remove()
	grounds, err := torture.NewGrounds(dir, o.speed)
	if err != nil {
		return 2, err
	}
	if o.trace {
		grounds.Trace = os.Stderr
	}
	drills, err := grounds.Drills()
	if err != nil {
		return 2, err
	}
	if o.drill != "" {
		drills = slices.DeleteFunc(drills, func(path string) bool { return !strings.HasSuffix(path, "/"+o.drill+".lua") })
		if len(drills) == 0 {
			return 2, fmt.Errorf("there is no drill %q", o.drill)
		}
	}
	c := torture.Campaign{Grounds: grounds, Workers: o.workers, Log: os.Stderr}
	everything := torture.Everything(len(drills))
	if drills, err = partOf(drills, o.part); err != nil {
		return 2, err
	}
	_, err = c.Run(ctx, drills, o.plan(everything))
	if c.Table(os.Stdout) && err == nil {
		return 1, nil
	}
	return 0, err
}

// partOf is the part K/N of the drills; all of them when part is empty.
func partOf(drills []string, part string) ([]string, error) {
	if part == "" {
		return drills, nil
	}
	var k, n int
	if read, err := fmt.Sscanf(part, "%d/%d", &k, &n); err != nil || read != 2 || k < 1 || k > n {
		return nil, fmt.Errorf("--part is %q, and should be such as 2/3", part)
	}
	return drills[(k-1)*len(drills)/n : k*len(drills)/n], nil
}

// plan is the one trial that the flags name, or all that fit them.
func (o options) plan(everything func(string, torture.Undisturbed) []torture.Trial) func(string, torture.Undisturbed) []torture.Trial {
	return func(drill string, u torture.Undisturbed) []torture.Trial {
		if o.one.Schedule != "" && o.one.Death != "" {
			one := o.one
			one.Drill = drill
			return []torture.Trial{one}
		}
		return slices.DeleteFunc(everything(drill, u), func(r torture.Trial) bool {
			return o.one.Schedule != "" && r.Schedule != o.one.Schedule || o.one.Death != "" && r.Death != o.one.Death || o.one.Undo && !r.Undo
		})
	}
}
