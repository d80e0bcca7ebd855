import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Date;
import java.util.List;
import java.util.Map;
import org.kairosdb.client.HttpClient;
import org.kairosdb.client.builder.Aggregator;
import org.kairosdb.client.builder.AggregatorFactory;
import org.kairosdb.client.builder.DataPoint;
import org.kairosdb.client.builder.Metric;
import org.kairosdb.client.builder.MetricBuilder;
import org.kairosdb.client.builder.QueryBuilder;
import org.kairosdb.client.builder.QueryMetric;
import org.kairosdb.client.builder.QueryTagBuilder;
import org.kairosdb.client.builder.TimeUnit;
import org.kairosdb.client.builder.grouper.BinGrouper;
import org.kairosdb.client.builder.grouper.TagGrouper;
import org.kairosdb.client.builder.grouper.TimeGrouper;
import org.kairosdb.client.builder.grouper.ValueGrouper;
import org.kairosdb.client.builder.RelativeTime;
import org.kairosdb.client.response.GroupResult;
import org.kairosdb.client.response.Result;
import org.kairosdb.client.response.TagResult;
import org.kairosdb.client.response.grouping.BinGroupResult;
import org.kairosdb.client.response.grouping.DefaultGroupResult;
import org.kairosdb.client.response.grouping.TagGroupResult;
import org.kairosdb.client.response.grouping.TimeGroupResult;
import org.kairosdb.client.response.grouping.ValueGroupResult;

/** KairosDB's own client, for tests: takes what to do as lines of JSON, and answers each by another. */
public final class Client {
    private static final Gson GSON = new Gson();

    private Client() {}

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        try (HttpClient client = new HttpClient(args[0])) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                out.println(GSON.toJson(answer(client, GSON.fromJson(line, JsonObject.class))));
            }
        }
    }

    private static JsonElement answer(HttpClient client, JsonObject asked) throws Exception {
        String what = asked.get("do").getAsString();
        switch (what) {
            case "write":
                return write(client, asked);
            case "query":
                return query(client, asked);
            case "tags":
                return tags(client, asked);
            case "names":
                return GSON.toJsonTree(client.getMetricNames());
            case "delete":
                client.deleteMetric(asked.get("metric").getAsString());
                return new JsonObject();
            default:
                throw new IllegalArgumentException(what);
        }
    }

    /** Points are pairs of time and value: a text, a number with a point in it (a double), or one without (a long). */
    private static JsonElement write(HttpClient client, JsonObject asked) {
        MetricBuilder builder = MetricBuilder.getInstance();
        String name = asked.get("metric").getAsString();
        Metric metric = asked.has("type")
            ? builder.addMetric(name, asked.get("type").getAsString())
            : builder.addMetric(name);
        for (Map.Entry<String, JsonElement> tag : asked.getAsJsonObject("tags").entrySet()) {
            metric.addTag(tag.getKey(), tag.getValue().getAsString());
        }
        for (JsonElement pair : asked.getAsJsonArray("points")) {
            long time = pair.getAsJsonArray().get(0).getAsLong();
            JsonPrimitive value = pair.getAsJsonArray().get(1).getAsJsonPrimitive();
            if (value.isString()) {
                metric.addDataPoint(time, (Object) value.getAsString());
            } else if (isLong(value.getAsString())) {
                metric.addDataPoint(time, value.getAsLong());
            } else {
                metric.addDataPoint(time, value.getAsDouble());
            }
        }
        client.pushMetrics(builder);
        return new JsonObject();
    }

    private static JsonElement query(HttpClient client, JsonObject asked) {
        QueryBuilder builder = QueryBuilder.getInstance();
        builder.setStart(new Date(asked.get("from").getAsLong()));
        builder.setEnd(new Date(asked.get("to").getAsLong()));
        QueryMetric metric = builder.addMetric(asked.get("metric").getAsString());
        for (JsonElement tag : list(asked, "tag")) {
            JsonArray pair = tag.getAsJsonArray();
            metric.addTag(pair.get(0).getAsString(), pair.get(1).getAsString());
        }
        for (JsonElement group : list(asked, "group_by")) {
            JsonArray by = group.getAsJsonArray();
            String kind = by.get(0).getAsString();
            if (kind.equals("tag")) {
                metric.addGrouper(new TagGrouper(by.get(1).getAsString()));
            } else if (kind.equals("value")) {
                metric.addGrouper(new ValueGrouper(by.get(1).getAsInt()));
            } else if (kind.equals("bin")) {
                metric.addGrouper(new BinGrouper(by.get(1).getAsDouble(), by.get(2).getAsDouble()));
            } else {
                RelativeTime range = new RelativeTime(by.get(1).getAsInt(), TimeUnit.SECONDS);
                metric.addGrouper(new TimeGrouper(range, by.get(2).getAsInt()));
            }
        }
        for (JsonElement aggregator : list(asked, "aggregators")) {
            metric.addAggregator(aggregator(aggregator.getAsJsonArray()));
        }
        if (asked.has("limit")) {
            metric.setLimit(asked.get("limit").getAsInt());
            metric.setOrder(QueryMetric.Order.DESCENDING);
        }
        JsonArray results = new JsonArray();
        for (Result result : client.query(builder).getQueries().get(0).getResults()) {
            results.add(result(result));
        }
        return results;
    }

    private static Aggregator aggregator(JsonArray asked) {
        String name = asked.get(0).getAsString();
        double number = asked.size() > 1 ? asked.get(1).getAsDouble() : 0;
        int seconds = (int) number;
        switch (name) {
            case "avg":
                return AggregatorFactory.createAverageAggregator(seconds, TimeUnit.SECONDS);
            case "sum":
                return AggregatorFactory.createSumAggregator(seconds, TimeUnit.SECONDS);
            case "count":
                return AggregatorFactory.createCountAggregator(seconds, TimeUnit.SECONDS);
            case "max":
                return AggregatorFactory.createMaxAggregator(seconds, TimeUnit.SECONDS);
            case "dev":
                return AggregatorFactory.createStandardDeviationAggregator(seconds, TimeUnit.SECONDS);
            case "percentile":
                return AggregatorFactory.createPercentileAggregator(0.5, seconds, TimeUnit.SECONDS);
            case "scale":
                return AggregatorFactory.createScaleAggregator(number);
            case "diff":
                return AggregatorFactory.createDiffAggregator();
            default:
                throw new IllegalArgumentException(name);
        }
    }

    private static JsonElement tags(HttpClient client, JsonObject asked) {
        QueryTagBuilder builder = QueryTagBuilder.getInstance();
        builder.setStart(new Date(asked.get("from").getAsLong()));
        builder.addMetric(asked.get("metric").getAsString());
        JsonArray results = new JsonArray();
        for (TagResult result : client.queryTags(builder).getQueries().get(0).getResults()) {
            results.add(GSON.toJsonTree(result.getTags()));
        }
        return results;
    }

    private static JsonObject result(Result result) {
        JsonObject json = new JsonObject();
        json.addProperty("name", result.getName());
        json.add("tags", GSON.toJsonTree(result.getTags()));
        JsonArray groups = new JsonArray();
        for (GroupResult group : result.getGroupResults()) {
            JsonArray shown = new JsonArray();
            shown.add(group.getName());
            if (group instanceof TagGroupResult) {
                shown.add(GSON.toJsonTree(((TagGroupResult) group).getGroup()));
            } else if (group instanceof ValueGroupResult) {
                shown.add(((ValueGroupResult) group).getGroup().getGroupNumber());
            } else if (group instanceof TimeGroupResult) {
                shown.add(((TimeGroupResult) group).getGroup().getGroupNumber());
            } else if (group instanceof BinGroupResult) {
                shown.add(((BinGroupResult) group).getBinNumber());
            } else if (group instanceof DefaultGroupResult) {
                shown.add(((DefaultGroupResult) group).getType());
            }
            groups.add(shown);
        }
        json.add("groups", groups);
        JsonArray points = new JsonArray();
        for (DataPoint point : result.getDataPoints()) {
            JsonArray pair = new JsonArray();
            pair.add(point.getTimestamp());
            pair.add(value(point));
            points.add(pair);
        }
        json.add("points", points);
        return json;
    }

    /** As the client's own methods give it. */
    private static JsonPrimitive value(DataPoint point) {
        try {
            // A text that looks like a number is one to the methods below.
            if (point.getValue() instanceof String) {
                return new JsonPrimitive(point.stringValue());
            }
            // What has no point in it is an integer to them, 1E300 too.
            if (point.isIntegerValue() && isLong(point.getValue().toString())) {
                return new JsonPrimitive(point.longValue());
            }
            return new JsonPrimitive(point.doubleValue());
        } catch (Exception error) {
            throw new IllegalStateException(point.toString(), error);
        }
    }

    private static boolean isLong(String number) {
        return number.matches("-?[0-9]+");
    }

    private static List<JsonElement> list(JsonObject asked, String name) {
        List<JsonElement> list = new java.util.ArrayList<>();
        if (asked.has(name)) {
            asked.getAsJsonArray(name).forEach(list::add);
        }
        return list;
    }
}
