// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"net"
	"os"
)

// notify tells the service manager that started the agent, if it wants to know,
// what became of it (sd_notify(3)): "READY=1", "STOPPING=1".
func notify(state string) error {
	socket := os.Getenv("NOTIFY_SOCKET") // a path, or a name that begins with @
	if socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("reach the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	return nil
}

// tell is notify for what is not worth stopping for.
func (a *Agent) tell(state string) {
	if err := notify(state); err != nil {
		a.log.Warn("service manager not told", "error", err)
	}
}
