package browser

import (
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

func TestMain(m *testing.M) { shelf.Main(m) }
