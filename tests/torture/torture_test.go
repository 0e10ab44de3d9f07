package torture

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if IsLife() {
		os.Exit(Live())
	}
	os.Exit(m.Run())
}
