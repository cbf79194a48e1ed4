package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// portOf returns the port in the variable of a named port, such as PORT_GAME for game.
func portOf(name string) (string, error) {
	variable := "PORT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	port := os.Getenv(variable)
	if port == "" {
		return "", fmt.Errorf("variable %s is not set", variable)
	}
	return port, nil
}

// echoUDP sends each packet that it receives on the named port back to its sender, until the
// process exits.
func echoUDP(name string) error {
	port, err := portOf(name)
	if err != nil {
		return err
	}
	connection, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", ":"+port)
	if err != nil {
		return err
	}
	go func() {
		buffer := make([]byte, 65535)
		for {
			n, from, err := connection.ReadFrom(buffer)
			if err == nil {
				_, _ = connection.WriteTo(buffer[:n], from)
			}
		}
	}()
	return nil
}

// echoTCP sends what it receives on each connection to the named port back, until the process
// exits.
func echoTCP(name string) error {
	port, err := portOf(name)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", ":"+port)
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(connection, connection)
				_ = connection.Close()
			}()
		}
	}()
	return nil
}

// startEchoes starts the echoes of the flags.
func startEchoes(o options) error {
	if o.echoUDP != "" {
		if err := echoUDP(o.echoUDP); err != nil {
			return err
		}
	}
	if o.echoTCP != "" {
		return echoTCP(o.echoTCP)
	}
	return nil
}
