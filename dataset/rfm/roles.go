package rfm

import (
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// Roles are the names of the columns that a run read, as they stand in the file.
type Roles struct {
	Customer string `json:"customer"`
	Invoice  string `json:"invoice"`
	Date     string `json:"date"`
	Quantity string `json:"quantity"` // empty: the table has one amount for each line, which counts as one item
	Price    string `json:"price"`
}

// The names by which a column is found when its flag is not given, best first, compared without case, blanks and
// punctuation. A total is taken for the price only where there is no quantity, since quantity × total would count
// twice.
var (
	customerNames = []string{"customerid", "customer", "customerno", "customernumber", "customercode", "custid", "clientid",
		"client", "userid", "user", "memberid", "member", "shopperid", "buyerid", "buyer", "accountid", "cardid"}
	invoiceNames = []string{"invoiceno", "invoice", "invoiceid", "invoicenumber", "orderid", "order", "orderno",
		"ordernumber", "transactionid", "transaction", "transactionno", "receiptid", "receipt", "receiptno", "basketid",
		"basket", "ticketid", "ticket"}
	dateNames = []string{"invoicedate", "date", "orderdate", "transactiondate", "purchasedate", "invoicetime", "datetime",
		"timestamp", "orderedat", "purchasedat", "createdat", "ordertime", "transactiontime", "time"}
	quantityNames = []string{"quantity", "qty", "units", "itemcount", "items", "pieces"}
	priceNames    = []string{"unitprice", "price", "itemprice", "priceperunit", "amount"}
	totalNames    = []string{"amount", "total", "totalamount", "totalprice", "linetotal", "revenue", "sales", "value", "spend"}
)

// columns are the positions of the roles in the schema; quantity is -1 where every line counts as one item.
type columns struct {
	customer, invoice, date, quantity, price int
}

// findColumns gives each role its column.
func findColumns(src dataset.Source, o *Options) (columns, error) {
	f := finder{src: src, schema: src.Schema()}
	c := columns{
		customer: f.find("--customer", o.Customer, customerNames),
		invoice:  f.find("--invoice", o.Invoice, invoiceNames),
		date:     f.find("--date", o.Date, dateNames),
		quantity: f.optional("--quantity", o.Quantity, quantityNames),
	}
	switch {
	case c.quantity >= 0 || o.Price != "":
		c.price = f.find("--price", o.Price, priceNames)
	default:
		c.price = f.optional("--price", "", totalNames)
	}
	if c.quantity < 0 && c.price < 0 {
		f.missing("--quantity", quantityNames)
	}
	if c.quantity < 0 && o.Price != "" && !isTotal(o.Price) {
		f.missing("--quantity", quantityNames)
	}
	if f.err != nil {
		return c, f.err
	}
	return c, f.distinct(c)
}

// isTotal tells whether a price column that was named by its flag holds the amount of a whole line.
func isTotal(name string) bool {
	for _, t := range totalNames {
		if plain(name) == t {
			return true
		}
	}
	return false
}

// roles names the columns.
func (c columns) roles(s *dataset.Schema) Roles {
	name := func(i int) string {
		if i < 0 {
			return ""
		}
		return s.Columns[i].Name
	}
	return Roles{name(c.customer), name(c.invoice), name(c.date), name(c.quantity), name(c.price)}
}

// finder looks up columns and keeps the first error.
type finder struct {
	src    dataset.Source
	schema *dataset.Schema
	err    error
}

// find is the column that the flag names, or else the first of the common names; -1 with an error if there is none.
func (f *finder) find(flag, given string, names []string) int {
	i := f.optional(flag, given, names)
	if i < 0 {
		f.missing(flag, names)
	}
	return i
}

// optional is find without the error for a table that has none of the common names.
func (f *finder) optional(flag, given string, names []string) int {
	if given != "" {
		return f.named(flag, given)
	}
	for _, name := range names {
		found := -1
		for i := range f.schema.Columns {
			if f.schema.Columns[i].Partition || plain(f.schema.Columns[i].Name) != name { // a folder's date=… is no line's date by itself
				continue
			}
			if found >= 0 {
				f.fail(fault.Usagef("%s could be column %q or column %q", flag, f.schema.Columns[found].Name,
					f.schema.Columns[i].Name).Do("say which with %s", flag))
			}
			found = i
		}
		if found >= 0 {
			return found
		}
	}
	return -1
}

// named is the column called name, or the only one that differs from it in case alone.
func (f *finder) named(flag, name string) int {
	if i := f.schema.Index(name); i >= 0 {
		return i
	}
	found := -1
	for i := range f.schema.Columns {
		if strings.EqualFold(f.schema.Columns[i].Name, name) {
			if found >= 0 {
				found = -1
				break
			}
			found = i
		}
	}
	if found < 0 {
		f.fail(f.unknown(flag, name))
	}
	return found
}

func (f *finder) missing(flag string, names []string) {
	place := f.place()
	f.fail(fault.Inputf(place, "no column is called %s or the like", strings.Join(names[:3], ", ")).
		Do("name one of %s with %s", f.list(), flag))
}

func (f *finder) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// list is the column names for a message, cut short for wide tables.
func (f *finder) list() string {
	const most = 20
	var names []string
	for i := range f.schema.Columns {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, f.schema.Columns[i].Name)
	}
	return strings.Join(names, ", ")
}

// place is the first file.
func (f *finder) place() fault.Place {
	if files := f.src.Names(); len(files) > 0 {
		return fault.In(files[0])
	}
	return fault.In("")
}

// unknown is the error of a flag whose column is not there.
func (f *finder) unknown(flag, name string) error {
	var names []string
	for i := range f.schema.Columns {
		names = append(names, f.schema.Columns[i].Name)
	}
	err := fault.Inputf(f.place(), "%s: there is no column %q", flag, name)
	if near := fault.Nearest(name, names); near != "" {
		return err.Do("did you mean %q?", near)
	}
	return err.Do("the columns are %s", f.list())
}

// distinct refuses one column in two roles.
func (f *finder) distinct(c columns) error {
	flags := [...]string{"--customer", "--invoice", "--date", "--quantity", "--price"}
	at := [...]int{c.customer, c.invoice, c.date, c.quantity, c.price}
	for i := range at {
		for j := range i {
			if at[i] >= 0 && at[i] == at[j] {
				return fault.Usagef("%s and %s both mean column %q", flags[j], flags[i], f.schema.Columns[at[i]].Name).
					Do("name another column for one of them")
			}
		}
	}
	return nil
}

// plain is a name without case, blanks and punctuation: "Customer ID" and customer_id are the same.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r < 0x80 && !(r >= 'a' && r <= 'z') && !(r >= '0' && r <= '9'), r == '\ufeff':
			return -1
		}
		return r
	}, name)
}
