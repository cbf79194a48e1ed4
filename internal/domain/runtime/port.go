package runtime

import (
	"net"
	"strconv"
)

// Port is a port of a game, and the address at which players reach it.
type Port struct {
	Name string `json:"name"`
	// Protocol is ProtocolTCP or ProtocolUDP.
	Protocol Protocol `json:"protocol"`
	// ContainerPort is the port that the game listens on in its container.
	ContainerPort int `json:"container_port,omitempty"`
	// Host is the address of the node for players: an IPv4 or IPv6 address without brackets,
	// or a DNS name.
	Host string `json:"host"`
	// Port is the port on Host.
	Port int `json:"port"`
}

// Protocol is a transport protocol.
type Protocol string

// The protocols.
const (
	ProtocolTCP Protocol = "tcp"
	ProtocolUDP Protocol = "udp"
)

// Address returns HOST:PORT, with brackets around an IPv6 address.
func (p Port) Address() string { return net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) }

// String returns NAME PROTOCOL://HOST:PORT, such as game udp://203.0.113.7:20001.
func (p Port) String() string { return p.Name + " " + string(p.Protocol) + "://" + p.Address() }
