package gameports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// maxPort is the greatest port number.
const maxPort = 65535

// Range is a range of ports of a node, with both ends. The zero value has no ports.
type Range struct{ First, Last int }

// ParseRange parses FIRST-LAST, such as 20000-29999. The empty text is the range without
// ports. The error contains the text and the form of a range.
func ParseRange(text string) (Range, error) {
	if text == "" {
		return Range{}, nil
	}
	first, last, found := strings.Cut(text, "-")
	r := Range{}
	var errFirst, errLast error
	r.First, errFirst = strconv.Atoi(first)
	r.Last, errLast = strconv.Atoi(last)
	if !found || errFirst != nil || errLast != nil || r.First < 1 || r.Last > maxPort || r.First > r.Last {
		return Range{}, fmt.Errorf("%q is not a range of ports from 1 to %d, such as 20000-29999", text, maxPort)
	}
	return r, nil
}

// String returns FIRST-LAST, and the empty text for the range without ports.
func (r Range) String() string {
	if r.Size() == 0 {
		return ""
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Size returns the number of ports in the range.
func (r Range) Size() int {
	if r.First == 0 {
		return 0
	}
	return r.Last - r.First + 1
}

// Contains reports whether the port is in the range.
func (r Range) Contains(port int) bool { return port >= r.First && port <= r.Last }

// ErrNoFreePort is returned if each port of a range is reserved or in use.
var ErrNoFreePort = errors.New("no free port")

// Choose returns a port of the range that is not reserved and that no program uses. It starts
// at a random port, so that a port is not used for another game right after its game has
// ended. It returns ErrNoFreePort if there is none, or the error of ctx.
func (r Range) Choose(ctx context.Context, protocol runtime.Protocol, isReserved func(Key) bool) (int, error) {
	size := r.Size()
	if size == 0 {
		return 0, fmt.Errorf("%w: this node has no range of ports for games", ErrNoFreePort)
	}
	offset := rand.IntN(size) //nolint:gosec // it spreads ports, and protects nothing
	for i := range size {
		key := Key{Protocol: protocol, Port: r.First + (offset+i)%size}
		if isReserved(key) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if CheckFree(ctx, key) == nil {
			return key.Port, nil
		}
	}
	return 0, fmt.Errorf("%w: all %d %s ports from %d to %d are reserved or in use", ErrNoFreePort, size, protocol, r.First, r.Last)
}
