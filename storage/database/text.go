package database

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stowage/stowage/image"
)

// TextColumn keeps a text as JSON, and an empty one as nothing. What older versions kept is an English sentence, and is
// read as one.
type TextColumn struct{ *image.Text }

// Scan implements sql.Scanner.
func (c TextColumn) Scan(value any) error {
	kept, ok := value.(string)
	if !ok {
		return fmt.Errorf("a text is kept as %T", value)
	}
	*c.Text = image.Text{}
	if strings.HasPrefix(kept, "{") && json.Unmarshal([]byte(kept), c.Text) == nil {
		return nil
	}
	*c.Text = image.Plain(kept)
	return nil
}

// Value implements driver.Valuer.
func (c TextColumn) Value() (driver.Value, error) {
	if c.Empty() {
		return "", nil
	}
	kept, err := json.Marshal(c.Text)
	return string(kept), err
}
