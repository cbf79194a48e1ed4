package netns

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Host is a network namespace with an address. It is safe for concurrent use.
type Host struct {
	// Addr is the address of the host, which the other hosts of its bridge reach.
	Addr string

	namespace netns.NsHandle
	cable     netlink.Link // its end at the bridge; nil until it is connected
}

// Start starts a command on the host.
func (h *Host) Start(cmd *exec.Cmd) error {
	return onThread(func() error {
		if err := netns.Set(h.namespace); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// The directions of packets, as seen from the host.
const (
	In  = "input"
	Out = "output"
)

// Drop drops a share, 0 to 1, of all packets of the directions. Nothing reports it: TCP sends them once more after
// a while.
func (h *Host) Drop(share float64, directions ...string) error {
	var rules strings.Builder
	rules.WriteString("table inet faults\ndelete table inet faults\ntable inet faults {\n")
	chance := "" // every packet
	if share < 1 {
		chance = fmt.Sprintf("numgen random mod 1000 < %d ", int(share*1000))
	}
	for _, direction := range directions {
		interfaceOf := map[string]string{In: "iifname", Out: "oifname"}[direction]
		fmt.Fprintf(&rules, "chain %s { type filter hook %s priority 0; %s \"eth0\" %sdrop\n}\n", direction, direction, interfaceOf, chance)
	}
	rules.WriteString("}\n")
	return h.nft(rules.String())
}

// Repair ends Drop.
func (h *Host) Repair() error { return h.nft("table inet faults\ndelete table inet faults\n") }

func (h *Host) nft(rules string) error {
	cmd := exec.Command("nft", "-f", "-") //nolint:noctx // local
	cmd.Stdin = strings.NewReader(rules)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := h.Start(cmd); err != nil {
		return fmt.Errorf("run nft: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("run nft: %w: %s", err, output.String())
	}
	return nil
}

// configure sets the address of the host.
func (h *Host) configure(address *netlink.Addr) error {
	handle, err := netlink.NewHandleAt(h.namespace)
	if err != nil {
		return err
	}
	defer handle.Close()
	var failed []error
	for _, name := range []string{"lo", "eth0"} {
		link, err := handle.LinkByName(name)
		if err != nil {
			return err
		}
		if name == "eth0" {
			failed = append(failed, handle.AddrAdd(link, address))
		}
		failed = append(failed, handle.LinkSetUp(link))
	}
	return errors.Join(failed...)
}

// close removes the cable, which the kernel would remove only some time after the namespace: the next host of the
// name could not be connected until then.
func (h *Host) close() error {
	if h.cable == nil {
		return h.namespace.Close()
	}
	return errors.Join(ignoreMissing(netlink.LinkDel(h.cable)), h.namespace.Close())
}

// onThread calls the function on an operating system thread of its own, whose namespace it may change.
func onThread(call func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- call()
	}()
	return <-done
}
