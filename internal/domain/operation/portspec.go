package operation

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// PortSpec is a port at which players reach a game, in addition to its main HTTP port. The
// node chooses a port of its range for it when it creates the container.
type PortSpec struct {
	// Name is unique within the game: 1 to 32 lower-case letters, digits and hyphens, the
	// first a letter. The game gets the number to listen on in the variable PORT_NAME.
	Name string `json:"name"`
	// Protocol is tcp or udp. Default tcp.
	Protocol runtime.Protocol `json:"protocol,omitempty"`
	// ContainerPort is the port that the game listens on inside its container; 0 means the
	// port on the node. A local process listens on the port on the node in any case.
	ContainerPort int `json:"container_port,omitempty"`
	// Port is the port on the node; 0 lets the node choose one of its range.
	Port int `json:"port,omitempty"`
}

// DefaultProtocol is the protocol of a port whose spec has none.
const DefaultProtocol = runtime.ProtocolTCP

// maxPorts is the number of named ports that a game can have.
const maxPorts = 16

// portName matches the names of ports. The names of their variables are then unique.
var portName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// ParsePort parses NAME:[NODE_PORT:]CONTAINER_PORT[/PROTOCOL], or NAME[/PROTOCOL] for a game
// that listens on the port of the node. The error contains the text; Spec.Validate checks
// the values.
func ParsePort(text string) (PortSpec, error) {
	invalid := fmt.Errorf("%.64q is not NAME:[NODE_PORT:]CONTAINER_PORT[/tcp|/udp] or NAME[/tcp|/udp], such as game:7777/udp", text)
	address, protocol, hasProtocol := strings.Cut(text, "/")
	if hasProtocol && protocol == "" {
		return PortSpec{}, invalid
	}
	parts := strings.Split(address, ":")
	port := PortSpec{Name: parts[0], Protocol: runtime.Protocol(protocol)}
	numbers := make([]int, 0, len(parts))
	for _, part := range parts[1:] {
		number, err := strconv.ParseUint(part, 10, 16)
		if err != nil || number == 0 {
			return PortSpec{}, invalid
		}
		numbers = append(numbers, int(number))
	}
	switch len(numbers) {
	case 0:
	case 1:
		port.ContainerPort = numbers[0]
	case 2:
		port.Port, port.ContainerPort = numbers[0], numbers[1]
	default:
		return PortSpec{}, invalid
	}
	if port.Name == "" {
		return PortSpec{}, invalid
	}
	return port, nil
}

// String returns the port in the form of ParsePort.
func (p PortSpec) String() string {
	text := p.Name
	if p.Port != 0 {
		text += ":" + strconv.Itoa(p.Port)
	}
	if p.Port != 0 || p.ContainerPort != 0 {
		text += ":" + strconv.Itoa(cmp.Or(p.ContainerPort, p.Port))
	}
	return text + "/" + string(cmp.Or(p.Protocol, DefaultProtocol))
}

// withDefaultProtocols returns a copy of the ports with their protocols.
func withDefaultProtocols(ports []PortSpec) []PortSpec {
	ports = slices.Clone(ports)
	for i := range ports {
		ports[i].Protocol = cmp.Or(ports[i].Protocol, DefaultProtocol)
	}
	return ports
}

// validatePorts returns the faults of the named ports of a spec.
func (s Spec) validatePorts() []error {
	var faults []error
	addIf := func(invalid bool, format string, args ...any) {
		if invalid {
			faults = append(faults, &runtime.InvalidError{Field: "ports", Reason: fmt.Sprintf(format, args...)})
		}
	}
	addIf(len(s.Ports) > maxPorts, "are %d; at most %d are allowed", len(s.Ports), maxPorts)
	ports := withDefaultProtocols(s.Ports)
	for i, p := range ports {
		addIf(!portName.MatchString(p.Name), "contain the name %.64q; use up to 32 lower-case letters, digits and hyphens, the first a letter", p.Name)
		addIf(p.Protocol != runtime.ProtocolTCP && p.Protocol != runtime.ProtocolUDP, "contain %s with the protocol %.64q; use %s or %s", p.Name, p.Protocol, runtime.ProtocolTCP, runtime.ProtocolUDP)
		addIf(p.ContainerPort < 0 || p.ContainerPort > 65535, "contain %s with the container_port %d, which is not a port from 0 to 65535", p.Name, p.ContainerPort)
		addIf(p.Port < 0 || p.Port > 65535, "contain %s with the port %d, which is not a port from 0 to 65535", p.Name, p.Port)
		for _, other := range ports[:i] {
			isSameProtocol := p.Protocol == other.Protocol
			addIf(p.Name == other.Name, "contain the name %.64q twice", p.Name)
			addIf(isSameProtocol && p.ContainerPort != 0 && p.ContainerPort == other.ContainerPort, "contain the container_port %d/%s twice, as %s and %s", p.ContainerPort, p.Protocol, other.Name, p.Name)
			addIf(isSameProtocol && p.Port != 0 && p.Port == other.Port, "contain the port %d/%s twice, as %s and %s", p.Port, p.Protocol, other.Name, p.Name)
		}
		if p.Protocol == runtime.ProtocolTCP && s.Port != 0 {
			isMain := p.ContainerPort == cmp.Or(s.ContainerPort, DefaultContainerPort)
			addIf(isMain && p.Port != s.Port, "contain %s with the container_port %d, whose port on the node is %d by the member port; omit one of them", p.Name, p.ContainerPort, s.Port)
			addIf(!isMain && p.Port == s.Port, "contain %s with the port %d, which is that of the member port; choose another port", p.Name, p.Port)
		}
	}
	return faults
}
