package machine

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// keeper starts child processes that die with this process, even when it is
// killed: the kernel sends a child its parent-death signal when the *thread*
// that started it ends, so all are started from one thread that lives as long
// as the rack.
type keeper struct {
	orders chan order
	quit   chan struct{}
	once   sync.Once
}

type order struct {
	cmd  *exec.Cmd
	last syscall.Signal
	done chan error
}

var errKeeperClosed = errors.New("the rack is closed")

func newKeeper() *keeper {
	k := &keeper{orders: make(chan order), quit: make(chan struct{})}
	go k.serve()
	return k
}

func (k *keeper) serve() {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	for {
		select {
		case <-k.quit:
			return
		case o := <-k.orders:
			if o.cmd.SysProcAttr == nil {
				o.cmd.SysProcAttr = &syscall.SysProcAttr{}
			}
			o.cmd.SysProcAttr.Setpgid = true
			o.cmd.SysProcAttr.Pdeathsig = o.last
			o.done <- o.cmd.Start()
		}
	}
}

// start starts cmd in a process group of its own; last is the signal that it
// gets when this process dies.
func (k *keeper) start(cmd *exec.Cmd, last syscall.Signal) error {
	o := order{cmd, last, make(chan error, 1)}
	select {
	case <-k.quit:
		return errKeeperClosed
	case k.orders <- o:
		return <-o.done
	}
}

// close ends the thread, and with it whatever it started and still runs.
func (k *keeper) close() { k.once.Do(func() { close(k.quit) }) }
