package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// bridgePrefix begins the names of all bridges, and is followed by the id of the process of the test. Names have at
// most 15 bytes, so numbers are hexadecimal.
const bridgePrefix = "rtb"

// Bridge connects hosts. The process that created it has the first address. It is safe for concurrent use.
type Bridge struct {
	link   *netlink.Bridge
	subnet byte // of 10.77.0.0/16

	mu    sync.Mutex
	hosts []*Host
}

// NewBridge creates a bridge. It fails without the right to do so, and without nft. The caller closes it after the processes of
// all hosts have ended. It removes the bridges of tests whose process has ended.
func NewBridge() (*Bridge, error) {
	if _, err := exec.LookPath("nft"); err != nil {
		return nil, fmt.Errorf("create a bridge: %w", err)
	}
	if err := removeLeftovers(); err != nil {
		return nil, err
	}
	for subnet := byte(1); subnet < 255; subnet++ {
		b := &Bridge{subnet: subnet}
		attributes := netlink.NewLinkAttrs()
		attributes.Name = fmt.Sprintf("%s%x.%x", bridgePrefix, os.Getpid(), subnet)
		b.link = &netlink.Bridge{LinkAttrs: attributes}
		if isUsed(b.address(1)) {
			continue
		}
		if err := netlink.LinkAdd(b.link); err != nil {
			return nil, fmt.Errorf("create a bridge: %w", err)
		}
		err := errors.Join(netlink.AddrAdd(b.link, b.network(1)), netlink.LinkSetUp(b.link))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create a bridge: %w", err), b.Close())
		}
		return b, nil
	}
	return nil, errors.New("create a bridge: every network is in use")
}

// isUsed reports whether this machine has the address.
func isUsed(address string) bool {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if strings.HasPrefix(a.String(), address+"/") {
			return true
		}
	}
	return false
}

// removeLeftovers removes the bridges of processes that have ended.
func removeLeftovers() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list network links: %w", err)
	}
	var failed []error
	for _, link := range links {
		rest, isBridge := strings.CutPrefix(link.Attrs().Name, bridgePrefix)
		text, _, _ := strings.Cut(rest, ".")
		pid, err := strconv.ParseInt(text, 16, 64)
		if !isBridge || err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(err, os.ErrNotExist) {
			failed = append(failed, ignoreMissing(netlink.LinkDel(link)))
		}
	}
	return errors.Join(failed...)
}

// ignoreMissing returns nil for a link that the kernel has removed in the meantime.
func ignoreMissing(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// Addr returns the address of this process.
func (b *Bridge) Addr() string { return b.address(1) }

// Close removes the bridge and its hosts.
func (b *Bridge) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := []error{netlink.LinkDel(b.link)}
	for _, h := range b.hosts {
		failed = append(failed, h.close())
	}
	return errors.Join(failed...)
}

func (b *Bridge) address(host int) string { return fmt.Sprintf("10.77.%d.%d", b.subnet, host) }

func (b *Bridge) network(host int) *netlink.Addr {
	address, _ := netlink.ParseAddr(b.address(host) + "/24")
	return address
}

// AddHost adds a host.
func (b *Bridge) AddHost() (*Host, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	number := len(b.hosts) + 2
	namespace, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("add a host: %w", err)
	}
	h := &Host{Addr: b.address(number), namespace: namespace}
	b.hosts = append(b.hosts, h)
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MasterIndex = fmt.Sprintf("%s.%x", b.link.Name, number), b.link.Index
	cable := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsFd(namespace)}
	if err := netlink.LinkAdd(cable); err != nil {
		return nil, fmt.Errorf("connect a host: %w", err)
	}
	h.cable = cable
	if err := errors.Join(netlink.LinkSetUp(cable), h.configure(b.network(number))); err != nil {
		return nil, fmt.Errorf("connect a host: %w", err)
	}
	return h, nil
}

// newNamespace returns a new network namespace.
func newNamespace() (namespace netns.NsHandle, err error) {
	err = onThread(func() error {
		namespace, err = netns.New() // and enters it
		return err
	})
	return namespace, err
}
