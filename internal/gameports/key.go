package gameports

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Key identifies a port of a node. A TCP and a UDP port of the same number are different
// ports.
type Key struct {
	Protocol runtime.Protocol
	Port     int
}

// String returns PORT/PROTOCOL, such as 20001/udp.
func (k Key) String() string { return strconv.Itoa(k.Port) + "/" + string(k.Protocol) }

// CheckFree returns nil if a program can listen on the port of all addresses, and otherwise
// why not. It prevents concurrent forks of this process: a forked child would keep the port
// open until it executes its program, and a game could not listen on it.
func CheckFree(ctx context.Context, key Key) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var listener io.Closer
	var err error
	address, listen := ":"+strconv.Itoa(key.Port), new(net.ListenConfig)
	switch key.Protocol {
	case runtime.ProtocolTCP:
		listener, err = listen.Listen(ctx, "tcp", address)
	case runtime.ProtocolUDP:
		listener, err = listen.ListenPacket(ctx, "udp", address)
	default:
		return fmt.Errorf("%q is neither tcp nor udp", key.Protocol)
	}
	if err != nil {
		return err
	}
	return listener.Close()
}

// Variable returns the environment variable with the number of a named port, such as
// PORT_GAME_DATA for game-data.
func Variable(name string) string {
	return "PORT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
