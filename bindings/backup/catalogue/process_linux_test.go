package catalogue

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestADeadProcessHoldsNothing: who sees that the holder was killed does not
// wait until its lock has run out.
func TestADeadProcessHoldsNothing(t *testing.T) {
	killed := exec.Command("sleep", "600")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	other, own := fmt.Sprintf("%s %d %s", whereabouts(), killed.Process.Pid, beginning(killed.Process.Pid)), process()
	if dead(other) || dead(own) {
		t.Fatal("both live")
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	s := local(t)
	for _, try := range []struct {
		process string
		dead    bool
	}{
		{other, true}, {own, false}, {"", false}, {"nonsense", false}, {"another-boot pid:[1] 1 1", false},
		{fmt.Sprintf("%s %d 1", whereabouts(), os.Getpid()), true}, // the number is another one's now
	} {
		c := of(s, "the second")
		h := c.holder("a backup")
		h.Process = try.process
		text, err := encode(h)
		if err == nil {
			err = s.Put(t.Context(), "pins/x/1.json", bytes.NewReader(text))
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, alive, err := c.alive(t.Context(), "pins/x/1.json"); err != nil || alive == try.dead {
			t.Errorf("%q: alive %t, %v", try.process, alive, err)
		}
	}
}
