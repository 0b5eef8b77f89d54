{{ config(materialized='table') }}

-- Each airline's flights and delays by month: a plain model for people, which `asknown run` keeps as a table.
select
    carrier,
    month,
    count(*) as flights,
    count(arr_delay) as landed,
    median(arr_delay) as median_arr_delay
from {{ source('nyc', 'flights') }}
group by carrier, month
