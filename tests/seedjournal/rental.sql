-- A film rental, as many applications are: int4 serials, an enum, a domain, arrays, full text by trigger, a generated
-- column, partitions, circles, composite keys and a table named "order". Statements are separated by a blank line.

CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17')

CREATE DOMAIN year AS integer CONSTRAINT year_check CHECK (VALUE >= 1901 AND VALUE <= 2155)

CREATE DOMAIN "short code" AS varchar(6) CHECK (char_length(VALUE) >= 3)

CREATE FUNCTION last_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_update = CURRENT_TIMESTAMP;
    RETURN NEW;
END $$

CREATE TABLE language (language_id SERIAL PRIMARY KEY, name CHAR(20) NOT NULL, last_update TIMESTAMPTZ NOT NULL DEFAULT now())

CREATE TABLE actor (actor_id SERIAL PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
    last_update TIMESTAMPTZ NOT NULL DEFAULT now())

CREATE TABLE category (category_id SERIAL PRIMARY KEY, name VARCHAR(25) NOT NULL UNIQUE, parent_id INTEGER REFERENCES category)

CREATE TABLE film (film_id SERIAL PRIMARY KEY, title VARCHAR(120) NOT NULL, description TEXT, release_year year,
    language_id INTEGER NOT NULL REFERENCES language, original_language_id INTEGER REFERENCES language,
    rental_duration SMALLINT NOT NULL DEFAULT 3, rental_rate NUMERIC(4, 2) NOT NULL DEFAULT 4.99,
    length SMALLINT CHECK (length > 0), replacement_cost NUMERIC(5, 2) NOT NULL CHECK (replacement_cost >= 1),
    rating mpaa_rating DEFAULT 'G', code "short code" NOT NULL, special_features TEXT[], tags TEXT[] NOT NULL,
    fulltext TSVECTOR NOT NULL, shelf_days INTEGER GENERATED ALWAYS AS (rental_duration * 2) STORED,
    last_update TIMESTAMPTZ NOT NULL)

CREATE TRIGGER film_fulltext BEFORE INSERT OR UPDATE ON film FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'description')

CREATE TRIGGER last_updated BEFORE INSERT OR UPDATE ON film FOR EACH ROW EXECUTE FUNCTION last_updated()

CREATE INDEX film_by_text ON film USING gist (fulltext)

CREATE TABLE film_actor (film_id INTEGER NOT NULL REFERENCES film, actor_id INTEGER NOT NULL REFERENCES actor,
    billing SMALLINT NOT NULL CHECK (billing BETWEEN 1 AND 9), PRIMARY KEY (film_id, actor_id))

CREATE TABLE film_sequel (film_id INTEGER NOT NULL REFERENCES film, sequel_id INTEGER NOT NULL REFERENCES film,
    PRIMARY KEY (film_id, sequel_id))

CREATE TABLE film_category (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    film_id INTEGER NOT NULL REFERENCES film, category_id INTEGER NOT NULL REFERENCES category, UNIQUE (film_id, category_id))

CREATE TABLE store (store_id SERIAL PRIMARY KEY, name TEXT NOT NULL, opened DATE NOT NULL, closed DATE,
    manager_staff_id INTEGER UNIQUE, CHECK (closed IS NULL OR closed > opened))

CREATE TABLE staff (staff_id SERIAL PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
    email TEXT NOT NULL, username VARCHAR(16) NOT NULL, password VARCHAR(40) NOT NULL, active BOOLEAN NOT NULL,
    picture BYTEA, store_id INTEGER NOT NULL REFERENCES store, boss_id INTEGER REFERENCES staff)

ALTER TABLE store ADD FOREIGN KEY (manager_staff_id) REFERENCES staff

CREATE UNIQUE INDEX staff_email ON staff (lower(email))

CREATE TABLE customer (customer_id UUID PRIMARY KEY, store_id INTEGER NOT NULL REFERENCES store,
    name TEXT NOT NULL CHECK (btrim(name) <> ''), email VARCHAR(50) NOT NULL, phone VARCHAR(20),
    country CHAR(2) NOT NULL, status VARCHAR(10) NOT NULL CHECK (status IN ('new', 'regular', 'gone')),
    discount NUMERIC(3, 2) NOT NULL DEFAULT 0 CHECK (discount >= 0 AND discount < 1), settings JSON NOT NULL,
    preferences JSONB NOT NULL DEFAULT '{}', born DATE, signed_up_from INET, created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL, UNIQUE (store_id, email))

CREATE TABLE customer_card (customer_id UUID PRIMARY KEY REFERENCES customer ON DELETE CASCADE,
    number CHAR(16) NOT NULL UNIQUE, valid_from DATE NOT NULL, valid_to DATE NOT NULL, CHECK (valid_from < valid_to))

CREATE TABLE inventory (store_id INTEGER NOT NULL REFERENCES store, copy INTEGER NOT NULL,
    film_id INTEGER NOT NULL REFERENCES film, PRIMARY KEY (store_id, copy))

CREATE TABLE rental (rental_id SERIAL PRIMARY KEY, rental_date TIMESTAMPTZ NOT NULL, store_id INTEGER NOT NULL,
    copy INTEGER NOT NULL, customer_id UUID NOT NULL REFERENCES customer, return_date TIMESTAMPTZ,
    staff_id INTEGER NOT NULL REFERENCES staff, FOREIGN KEY (store_id, copy) REFERENCES inventory (store_id, copy),
    UNIQUE (rental_date, store_id, copy, customer_id))

CREATE TABLE payment (payment_id SERIAL, customer_id UUID NOT NULL REFERENCES customer,
    rental_id INTEGER NOT NULL REFERENCES rental, amount NUMERIC(5, 2) NOT NULL CHECK (amount >= 0),
    payment_date TIMESTAMPTZ NOT NULL, PRIMARY KEY (payment_date, payment_id)) PARTITION BY RANGE (payment_date)

CREATE TABLE payment_2022_01 PARTITION OF payment FOR VALUES FROM ('2022-01-01 00:00:00+00') TO ('2022-02-01 00:00:00+00')

CREATE TABLE payment_2022_02 PARTITION OF payment FOR VALUES FROM ('2022-02-01 00:00:00+00') TO ('2022-03-01 00:00:00+00')

CREATE TABLE "order" (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id UUID NOT NULL REFERENCES customer,
    "from" TEXT NOT NULL, "class" INTEGER NOT NULL, "sentAt" TIMESTAMPTZ, tracking TEXT CHECK (tracking ~ '^[A-Z]{2}[0-9]{9}$'))

CREATE TABLE project (id BIGINT PRIMARY KEY, name TEXT NOT NULL, lead_id BIGINT NOT NULL)

CREATE TABLE lead (id BIGINT PRIMARY KEY, name TEXT NOT NULL, project_id BIGINT NOT NULL REFERENCES project)

ALTER TABLE project ADD FOREIGN KEY (lead_id) REFERENCES lead DEFERRABLE INITIALLY DEFERRED

CREATE TABLE audit (happened TIMESTAMPTZ, what TEXT)

CREATE VIEW film_list AS SELECT film_id, title FROM film

INSERT INTO language (name) VALUES ('English'), ('Italian')

INSERT INTO actor (first_name, last_name) VALUES ('Penelope', 'Guiness')

INSERT INTO category (name) VALUES ('Action'), ('Comedy')

INSERT INTO film (title, language_id, replacement_cost, code, tags, last_update) VALUES ('Academy', 1, 20, 'ACA', '{old}', now())

INSERT INTO film_actor VALUES (1, 1, 1)

INSERT INTO film_category (film_id, category_id) VALUES (1, 1)

INSERT INTO store (name, opened) VALUES ('First', '2020-01-01')

INSERT INTO staff (first_name, last_name, email, username, password, active, store_id)
    VALUES ('Mike', 'Hillyer', 'Mike@example.com', 'mike', 'x', true, 1)

UPDATE store SET manager_staff_id = 1

INSERT INTO customer VALUES ('1b4e28ba-2fa1-11d2-883f-0016d3cca427', 1, 'Mary', 'mary@example.com', NULL, 'GB', 'new', 0, '{}',
    '{}', NULL, NULL, '2022-01-01', '2022-01-01')

INSERT INTO inventory VALUES (1, 1, 1)

INSERT INTO rental (rental_date, store_id, copy, customer_id, staff_id)
    VALUES ('2022-01-05', 1, 1, '1b4e28ba-2fa1-11d2-883f-0016d3cca427', 1)

INSERT INTO payment (customer_id, rental_id, amount, payment_date)
    VALUES ('1b4e28ba-2fa1-11d2-883f-0016d3cca427', 1, 2.99, '2022-01-06')

INSERT INTO "order" (customer_id, "from", "class") VALUES ('1b4e28ba-2fa1-11d2-883f-0016d3cca427', 'a', 1)
